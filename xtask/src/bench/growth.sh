# Makes what costs could grow with, of the image $base: a guest with ext4 in its one partition, which begins at 1 MiB.
# Runs in an empty directory, as an ordinary user. A million files take three minutes: one by one on the host, then
# mke2fs copies the tree.
set -eu
part='?offset=1048576'
disk_grown () { cp --sparse=always "$base" disk.raw; truncate -s 2000G disk.raw; }
filesystem_grown () { disk_grown; printf 'label: dos\nlabel-id: 0x6c1fa206\nstart=2048, type=83, bootable\n' | sfdisk --quiet disk.raw; resize2fs -f "disk.raw$part" 1999G; truncate -s 2000G disk.raw; }
data_disks () { cp --sparse=always "$base" disk.raw; for n in $(seq 2 $(($1 + 1))); do truncate -s 1G disk-$n.raw; mke2fs -q -t ext4 -U 00000000-0000-4000-8000-0000000000$(printf %02d $n) -E hash_seed=00000000-0000-4000-8000-000000000001,lazy_itable_init=1 disk-$n.raw; done; }
kernels () {
  cp --sparse=always "$base" disk.raw
  v=$(debugfs -R 'ls -p /usr/lib/modules' "disk.raw$part" 2>/dev/null | cut -d/ -f6 | grep '^[0-9]')
  debugfs -R "dump /boot/initrd.img-$v initrd" "disk.raw$part" 2>/dev/null
  zcat initrd > unpacked
  for n in $(seq 11 29); do
    o=$(echo $v | sed "s/-[0-9]*-/-$n-/")
    sed "s/$v/$o/g" unpacked | gzip -n1 > initrd-$n
    printf 'symlink /usr/lib/modules/%s %s\nsymlink /boot/vmlinuz-%s vmlinuz-%s\nwrite initrd-%s /boot/initrd.img-%s\n' $o $v $o $v $n $o
  done > commands
  debugfs -w -f commands "disk.raw$part" > said 2>&1
  rm initrd* unpacked commands said
}
home () {
  cp --sparse=always "$base" disk.raw
  mkdir tree
  python3 - "$1" <<'P'
import os, sys
for directory in range(int(sys.argv[1]) // 1000):
    os.mkdir(f"tree/{directory}")
    for file in range(1000): os.close(os.open(f"tree/{directory}/{file}", os.O_CREAT | os.O_WRONLY))
P
  truncate -s 1G disk-2.raw
  mke2fs -q -t ext4 -N 1100000 -I 128 -U 00000000-0000-4000-8000-000000000002 -E hash_seed=00000000-0000-4000-8000-000000000001,lazy_itable_init=1 -d tree disk-2.raw
  rm -r tree
  printf 'UUID=00000000-0000-4000-8000-000000000002 /home ext4 defaults 0 2\n' > line
  debugfs -R 'cat /etc/fstab' "disk.raw$part" 2>/dev/null | cat - line > fstab
  printf 'rm /etc/fstab\nwrite fstab /etc/fstab\n' > commands
  debugfs -w -f commands "disk.raw$part" > said 2>&1
  rm line fstab commands said
}
qcow2 () { qemu-img convert -f raw -O qcow2 -o cluster_size=16k "$base" disk.qcow2; }
qcow2_grown () { qcow2; qemu-img resize -q --preallocation=metadata disk.qcow2 18G; }
"$@"
