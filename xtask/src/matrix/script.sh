# What is run as root of the User Mode Linux that makes and looks at a row: its functions are stack, open, close, mkfs, fill
# and check, its variables all (the disks), tape (the disk that takes the listing), modules and options.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DM_DISABLE_UDEV=1 LVM_SUPPRESS_FD_WARNINGS=1
root=/mnt/root
mkdir -p $root
load $modules

# L COMMAND…: LVM without udev, and without the checkers of pools that this host may lack.
L () {
  command=$1
  shift
  lvm $command --config "$lvm_config activation{monitoring=0} global{thin_check_executable=\"\" cache_check_executable=\"\"}" "$@"
}

# try COMMAND…: gives a file what not every file system can keep; what it cannot is not there before and not after.
try () { "$@" 2>/dev/null || true; }

# mounted OPTION…: mounts $dev, whose kind is not guessed by trying.
mounted () {
  kind=$(blkid -p -o value -s TYPE $dev)
  mount -t $kind "$@" $options $dev $root
}

# What a system's own files hardly have and somebody's have: it must be there afterwards as it was.
dress () {
  d=$root/home/user
  mkdir -p $d/deep/er/than/most $d/many $d/project
  i=0
  while [ $i -lt 200 ]; do echo $i > $d/many/file-$i; i=$((i + 1)); done
  seq 1 20000 > $d/numbers
  echo text > "$d/name with spaces and ünïcode"
  ln -s ../gone $d/dangling
  try ln $d/numbers $d/hard
  try mkfifo $d/fifo
  try mknod $d/null c 1 3
  cp $d/numbers $d/setuid
  try chown 1234:5678 $d/setuid
  try chmod 4750 $d/setuid
  truncate -s 4M $d/sparse
  printf end | dd of=$d/sparse bs=1 seek=3000000 conv=notrunc status=none
  try cp --reflink=always $d/numbers $d/reflink
  cp $d/numbers $d/acl
  try setfacl -m u:1000:rw,g:2000:r $d/acl
  try setfacl -d -m u:1000:rwx $d/project
  try setfattr -n user.note -v 'of the user' $d/acl
  try setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 $d/hard
  for file in $root/etc/fstab $root/etc/hostname $d/acl $d/many $root/boot; do
    try setfattr -n security.selinux -v system_u:object_r:etc_t:s0 $file
  done
  try chattr -p 42 +P $d/project
  echo old > $d/project/inherits
  echo fixed > $d/immutable
  echo more > $d/appended
  touch -d '2001-02-03 04:05:06.7' $d/numbers $d/deep $d/dangling
  try chattr +i $d/immutable
  try chattr +a $d/appended
}

# Every name below the root with kind, mode, owner, links, size, blocks, time and target, then attributes and content.
listing () {
  cd $root
  find . \( -type d -printf '%P\t%y %m %U %G %T@\n' \) -o -printf '%P\t%y %m %U %G %n %s %b %T@ %l\n'
  find . -type f -print0 | sort -z | xargs -0 sha256sum | sed 's/^\([0-9a-f]*\)  \.\/\(.*\)/\2\tsha256 \1/'
  find . ! -type l -print0 | sort -z | xargs -0 getfattr --absolute-names -d -m - -e hex 2>/dev/null |
    awk '/^# file: / { name = substr($0, 11); next } /=/ { print name "\txattr " $0 }'
  lsattr -Rpa . 2>/dev/null | awk '/^ *[0-9]+ / { project = $1; flags = $2; $1 = $2 = ""; sub(/^ */, ""); print substr($0, 3) "\tflags " flags " project " project }'
  if [ -e home/user/reflink ]; then
    for file in numbers reflink; do
      filefrag -e -v home/user/$file 2>/dev/null | awk -v name=home/user/$file '/^ *[0-9]+:/ { print name "\textent " $2 $3 $4 $5 $6 }'
    done
  fi
  cd /
}
