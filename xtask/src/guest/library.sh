# What the format scripts of guests may call.

# load MODULE…: loads modules of this kernel with what they need; built-in and loaded ones are no error.
load () {
  modules=$(echo /usr/lib/uml/modules/*)
  for module; do
    line=$(grep "^[^:]*/$module\.ko:" "$modules/modules.dep" || true)
    [ -n "$line" ] || continue
    for file in $(echo "${line#*:}" | tr ' ' '\n' | tac) "${line%%:*}"; do
      insmod "$modules/$file" 2>/dev/null || true
    done
  done
}

# The configuration for LVM where there is no udev.
lvm_config='activation{udev_sync=0 udev_rules=0} devices{use_devicesfile=0} backup{backup=0 archive=0}'
