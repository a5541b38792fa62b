//! LUKS: versions, key derivations, slots, and where it lies.

use super::row::Row;

/// What opens each row.
const KEY: Option<&str> = Some("all:key:guestconv");
/// The words that make a device of LUKS on `$1` by the options after it, and open it.
macro_rules! luks {
    ($device:literal, $options:literal) => {
        concat!(
            "printf guestconv > /tmp/key; cryptsetup luksFormat -q --key-file /tmp/key ",
            $options,
            " ",
            $device,
            "; cryptsetup open --key-file /tmp/key ",
            $device,
            " plain; dmsetup mknodes; dev=/dev/mapper/plain"
        )
    };
}
/// Opens it again.
macro_rules! opened {
    ($device:literal) => {
        concat!(
            "printf guestconv > /tmp/key; cryptsetup open --key-file /tmp/key ",
            $device,
            " plain; dmsetup mknodes; dev=/dev/mapper/plain"
        )
    };
}

/// LUKS in the only partition.
const LUKS: Row = Row {
    modules: "dm-mod ecb xts cbc essiv dm-crypt af_alg algif_skcipher algif_hash md-mod raid1",
    open: opened!("/dev/vda1"),
    close: "cryptsetup close plain",
    key: KEY,
    ..Row::PLAIN
};

pub(super) const ROWS: &[Row] = &[
    Row { name: "luks1", stack: luks!("/dev/vda1", "--type luks1 --pbkdf-force-iterations 1000"), ..LUKS },
    Row {
        name: "luks1-cbc-essiv",
        stack: luks!(
            "/dev/vda1",
            "--type luks1 --cipher aes-cbc-essiv:sha256 --key-size 256 --hash sha1 --pbkdf-force-iterations 1000"
        ),
        ..LUKS
    },
    Row {
        name: "luks2",
        stack: luks!(
            "/dev/vda1",
            "--type luks2 --pbkdf argon2id --pbkdf-memory 32768 --pbkdf-force-iterations 4"
        ),
        ..LUKS
    },
    Row {
        name: "luks2-argon2i",
        stack: luks!(
            "/dev/vda1",
            "--type luks2 --pbkdf argon2i --pbkdf-memory 32768 --pbkdf-force-iterations 4"
        ),
        ..LUKS
    },
    Row {
        name: "luks2-pbkdf2",
        stack: luks!("/dev/vda1", "--type luks2 --pbkdf pbkdf2 --hash sha512 --pbkdf-force-iterations 1000"),
        ..LUKS
    },
    Row {
        name: "luks2-4k-sectors",
        stack: luks!(
            "/dev/vda1",
            "--type luks2 --sector-size 4096 --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
        ),
        ..LUKS
    },
    Row {
        name: "luks2-eight-slots",
        stack: concat!(
            "printf other > /tmp/other; cryptsetup luksFormat -q --key-file /tmp/other --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vda1; \
             for n in 1 2 3 4 5 6; do printf other$n > /tmp/n; cryptsetup luksAddKey -q --key-file /tmp/other --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vda1 /tmp/n; done; \
             printf guestconv > /tmp/key; cryptsetup luksAddKey -q --key-file /tmp/other --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vda1 /tmp/key; ",
            opened!("/dev/vda1")
        ),
        ..LUKS
    },
    Row {
        name: "luks2-no-key",
        stack: luks!("/dev/vda1", "--type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000"),
        key: None,
        ..LUKS
    }
    .refused("no-system", &["device-encrypted"]),
    Row {
        name: "luks2-wrong-key",
        stack: luks!("/dev/vda1", "--type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000"),
        key: Some("/dev/sda1:key:wrong"),
        ..LUKS
    }
    .refused("key-wrong", &[]),
    Row {
        name: "luks-on-lvm",
        disks: &[192, 64],
        table: None,
        stack: concat!(
            "L pvcreate -y $all; L vgcreate vg $all; L lvcreate -Zn -Wn -y -L 220m -n locked vg; dmsetup mknodes; ",
            luks!("/dev/mapper/vg-locked", "--type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000")
        ),
        open: concat!("L vgchange -ay vg; dmsetup mknodes; ", opened!("/dev/mapper/vg-locked")),
        close: "cryptsetup close plain; L vgchange -an vg",
        ..LUKS
    },
    Row {
        name: "lvm-on-luks",
        stack: concat!(
            luks!("/dev/vda1", "--type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000"),
            "; L pvcreate -y $dev; L vgcreate vg $dev; L lvcreate -Zn -Wn -y -L 128m -n root vg; dmsetup mknodes; dev=/dev/mapper/vg-root"
        ),
        open: concat!(opened!("/dev/vda1"), "; L vgchange -ay vg; dmsetup mknodes; dev=/dev/mapper/vg-root"),
        close: "L vgchange -an vg; cryptsetup close plain",
        spec: "/dev/mapper/vg-root",
        ..LUKS
    },
    Row {
        name: "luks-on-md",
        disks: &[192; 2],
        table: None,
        stack: concat!(
            "mdadm -C /dev/md0 --run -e 1.2 -l 1 -n 2 --assume-clean $all; ",
            luks!("/dev/md0", "--type luks1 --pbkdf-force-iterations 1000")
        ),
        open: concat!("mdadm -A --run /dev/md0 $all; ", opened!("/dev/md0")),
        close: "cryptsetup close plain; mdadm --stop /dev/md0",
        ..LUKS
    },
];
