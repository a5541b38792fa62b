# What the scripts of seeds may call.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DM_DISABLE_UDEV=1 LVM_SUPPRESS_FD_WARNINGS=1
load dm-mod ecb xts cbc essiv dm-crypt af_alg algif_skcipher algif_hash dm-raid md-mod raid1 raid456 dm-thin-pool crc32_generic f2fs nilfs2
mkdir -p /mnt/root
printf guestconv > /tmp/key

# L COMMAND…: LVM without udev, and without the checkers of pools.
L () {
  command=$1
  shift
  lvm $command --config "$lvm_config activation{monitoring=0} global{thin_check_executable=\"\"}" "$@"
}

# fill DEVICE: puts a system on a file system.
fill () {
  mount $1 /mnt/root
  tar -C /mnt/root -xf $tar
  echo "UUID=$(blkid -p -o value -s UUID $1) / auto defaults 0 1" > /mnt/root/etc/fstab
  umount /mnt/root
}

# on NAME: makes a file system with a system on a mapped device.
on () {
  dmsetup mknodes
  mkfs.ext4 -q /dev/mapper/$1
  fill /dev/mapper/$1
}

# lock VERSION DEVICE
lock () {
  cryptsetup luksFormat -q --key-file /tmp/key --type $1 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $2
}

# settle DISK: waits for what sfdisk has written to become devices.
settle () {
  blockdev --rereadpt $1
}
