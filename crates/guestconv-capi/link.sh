#!/bin/sh
# Links libguestconv.so from what cargo builds: link.sh libguestconv_capi.a OUTPUT
#
# rustc gives the linker of a cdylib a version script of its own, without a name, and GNU ld takes no other beside it ("anonymous
# version tag cannot be combined with other version tags"). So the last step is ours.
#
# The soname has the number of the ABI, which changes when a program that was linked before would no longer run.
set -eu
map=$(dirname "$0")/guestconv.map
# What rustc --print native-static-libs says; those that an old glibc has apart are not needed where a new one has them.
exec "${CC:-cc}" -shared -o "$2" -Wl,-soname,libguestconv.so.0 -Wl,--version-script="$map" \
    -Wl,--whole-archive "$1" -Wl,--no-whole-archive -Wl,--gc-sections -Wl,-z,defs -Wl,-z,relro,-z,now \
    -Wl,--as-needed -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
