# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_guestconv_global_optspecs
    string join \n color= h/help V/version
end

function __fish_guestconv_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_guestconv_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_guestconv_using_subcommand
    set -l cmd (__fish_guestconv_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c guestconv -n "__fish_guestconv_needs_command" -l color -d 'When to colour what is written' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c guestconv -n "__fish_guestconv_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c guestconv -n "__fish_guestconv_needs_command" -s V -l version -d 'Print version'
complete -c guestconv -n "__fish_guestconv_needs_command" -f -a "inspect" -d 'Say what is on the disks and which devices the guest can have on the target; writes nothing'
complete -c guestconv -n "__fish_guestconv_needs_command" -f -a "plan" -d 'Show every change that a conversion would make, with its reason; writes nothing'
complete -c guestconv -n "__fish_guestconv_needs_command" -f -a "convert" -d 'Convert the guest in place: on overlays first, looked at again, then committed'
complete -c guestconv -n "__fish_guestconv_needs_command" -f -a "undo" -d 'Put back what the last conversion changed: the disks are bit for bit what they were'
complete -c guestconv -n "__fish_guestconv_needs_command" -f -a "discard-undo" -d 'Give up the originals that a conversion has kept: it cannot be undone any more'
complete -c guestconv -n "__fish_guestconv_needs_command" -f -a "recover" -d 'Finish or clear away what a conversion left that was killed; every other command does so first, too'
complete -c guestconv -n "__fish_guestconv_needs_command" -f -a "verify" -d 'Look at a converted guest and say what is still missing; writes nothing'
complete -c guestconv -n "__fish_guestconv_needs_command" -f -a "prove" -d 'Boot the guest under QEMU on a throw-away overlay and say what came up; writes nothing'
complete -c guestconv -n "__fish_guestconv_needs_command" -f -a "targets" -d 'List the hypervisors that a guest can be converted for'
complete -c guestconv -n "__fish_guestconv_needs_command" -f -a "schema" -d 'Print the schema of a document'
complete -c guestconv -n "__fish_guestconv_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l format -d 'The format of the disks. Say it for disks from an untrusted source: a guest can write what auto looks at' -r -f -a "auto\t'What the bytes say; other files are never followed'
raw\t'The bytes of the disk'
qcow2\t'QEMU\'s copy-on-write format'
vmdk\t'VMware\'s format, which is only read'
vhd\t'Virtual PC\'s format, which is only read'
vhdx\t'Hyper-V\'s format, which is only read'
vdi\t'VirtualBox\'s format, which is only read'"
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l key -d 'What opens an encrypted device: SELECTOR:key:PASSPHRASE or SELECTOR:file:FILE. The selector is a device as the documents name it (/dev/sda2, /dev/VG/LV), its UUID, or "all". A passphrase on the command line can be seen by other users of this host; a file need not' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l overlay-dir -d 'Where overlays are while a conversion runs [default: beside each disk]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l appliance -d 'The directory of the appliance [default: GUESTCONV_APPLIANCE, or beside the program]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l runner -d 'What runs the appliance: its own kernel, or a distribution\'s under QEMU [default: GUESTCONV_RUNNER, or whichever can]' -r -f -a "uml\t'The appliance\'s own kernel, as a process'
qemu\t'A distribution\'s kernel, under QEMU: slower'"
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l grub-dir -d 'The directory of the GRUB 2 that a disk without boot loader is given, with its i386-pc and x86_64-efi [default: where the packages of this host put them]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l time-limit -d 'How long one run of the appliance may take' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l progress -d 'How progress is shown, on the standard error' -r -f -a "auto\t'A bar on a terminal, for what takes long'
json\t'One JSON object per line'
none\t'Not at all'"
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -s t -l target -d 'The hypervisor that the guest shall boot on; without it, only what the guest is is said' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l nic -d 'A network card that the target gives the guest, by its MAC address; repeat it in the source\'s order, or name the interface' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l libvirt-xml -d 'A libvirt domain XML: its network cards, in its order' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l color -d 'When to colour what is written' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l allow-backing -d 'Open the files that an image names: what it is based on, the extents of a VMDK. Only for images from a trusted source'
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l keys-from-stdin -d 'Read passphrases from the standard input, one per line; each is tried for every encrypted device'
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l require-confinement -d 'Stop before anything is run if this host cannot confine completely what meets the guest'
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l timings -d 'Show where the time went, on the standard error; beside --json as one JSON object'
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -s v -l verbose -d 'Show what the appliance says, on the standard error'
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l initramfs -d 'Look into the initramfs images too, for their modules; it takes longer than all else, and plan and convert do it by themselves'
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l json -d 'Write JSON: the description, or without --target the facts'
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -l xml -d 'Write the description as XML, which may be edited and handed back to --description'
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c guestconv -n "__fish_guestconv_using_subcommand inspect" -s V -l version -d 'Print version'
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l format -d 'The format of the disks. Say it for disks from an untrusted source: a guest can write what auto looks at' -r -f -a "auto\t'What the bytes say; other files are never followed'
raw\t'The bytes of the disk'
qcow2\t'QEMU\'s copy-on-write format'
vmdk\t'VMware\'s format, which is only read'
vhd\t'Virtual PC\'s format, which is only read'
vhdx\t'Hyper-V\'s format, which is only read'
vdi\t'VirtualBox\'s format, which is only read'"
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l key -d 'What opens an encrypted device: SELECTOR:key:PASSPHRASE or SELECTOR:file:FILE. The selector is a device as the documents name it (/dev/sda2, /dev/VG/LV), its UUID, or "all". A passphrase on the command line can be seen by other users of this host; a file need not' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l overlay-dir -d 'Where overlays are while a conversion runs [default: beside each disk]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l appliance -d 'The directory of the appliance [default: GUESTCONV_APPLIANCE, or beside the program]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l runner -d 'What runs the appliance: its own kernel, or a distribution\'s under QEMU [default: GUESTCONV_RUNNER, or whichever can]' -r -f -a "uml\t'The appliance\'s own kernel, as a process'
qemu\t'A distribution\'s kernel, under QEMU: slower'"
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l grub-dir -d 'The directory of the GRUB 2 that a disk without boot loader is given, with its i386-pc and x86_64-efi [default: where the packages of this host put them]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l time-limit -d 'How long one run of the appliance may take' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l progress -d 'How progress is shown, on the standard error' -r -f -a "auto\t'A bar on a terminal, for what takes long'
json\t'One JSON object per line'
none\t'Not at all'"
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -s t -l target -d 'The hypervisor that the guest shall boot on; "guestconv targets" lists them' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l plan -d 'A plan that plan --json wrote: target, drivers and network cards are those that it was made with. convert does exactly what it says, or refuses; "-" is the standard input' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -s d -l description -d 'The description that inspect --xml wrote, edited or not; "-" is the standard input' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l nic -d 'A network card that the target gives the guest, by its MAC address; repeat it in the source\'s order, or name the interface' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l libvirt-xml -d 'A libvirt domain XML: its network cards, in its order' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l rebuild -d 'How initramfs images get drivers that they lack' -r -f -a "append\t'A segment is appended; nothing of the guest is run'
guest\t'The guest\'s own tool is run, inside the appliance'"
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l hardware -d 'Write the machine that the target must give the guest, with its disks, instead of the plan' -r -f -a "libvirt\t'A libvirt domain, for virsh define. Name, memory, processors and network may be changed'
qemu\t'A command that starts QEMU with KVM'"
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l color -d 'When to colour what is written' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l allow-backing -d 'Open the files that an image names: what it is based on, the extents of a VMDK. Only for images from a trusted source'
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l keys-from-stdin -d 'Read passphrases from the standard input, one per line; each is tried for every encrypted device'
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l require-confinement -d 'Stop before anything is run if this host cannot confine completely what meets the guest'
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l timings -d 'Show where the time went, on the standard error; beside --json as one JSON object'
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -s v -l verbose -d 'Show what the appliance says, on the standard error'
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -l json -d 'Write the plan as JSON; its steps are empty if nothing is to do'
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c guestconv -n "__fish_guestconv_using_subcommand plan" -s V -l version -d 'Print version'
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l format -d 'The format of the disks. Say it for disks from an untrusted source: a guest can write what auto looks at' -r -f -a "auto\t'What the bytes say; other files are never followed'
raw\t'The bytes of the disk'
qcow2\t'QEMU\'s copy-on-write format'
vmdk\t'VMware\'s format, which is only read'
vhd\t'Virtual PC\'s format, which is only read'
vhdx\t'Hyper-V\'s format, which is only read'
vdi\t'VirtualBox\'s format, which is only read'"
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l key -d 'What opens an encrypted device: SELECTOR:key:PASSPHRASE or SELECTOR:file:FILE. The selector is a device as the documents name it (/dev/sda2, /dev/VG/LV), its UUID, or "all". A passphrase on the command line can be seen by other users of this host; a file need not' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l overlay-dir -d 'Where overlays are while a conversion runs [default: beside each disk]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l appliance -d 'The directory of the appliance [default: GUESTCONV_APPLIANCE, or beside the program]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l runner -d 'What runs the appliance: its own kernel, or a distribution\'s under QEMU [default: GUESTCONV_RUNNER, or whichever can]' -r -f -a "uml\t'The appliance\'s own kernel, as a process'
qemu\t'A distribution\'s kernel, under QEMU: slower'"
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l grub-dir -d 'The directory of the GRUB 2 that a disk without boot loader is given, with its i386-pc and x86_64-efi [default: where the packages of this host put them]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l time-limit -d 'How long one run of the appliance may take' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l progress -d 'How progress is shown, on the standard error' -r -f -a "auto\t'A bar on a terminal, for what takes long'
json\t'One JSON object per line'
none\t'Not at all'"
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -s t -l target -d 'The hypervisor that the guest shall boot on; "guestconv targets" lists them' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l plan -d 'A plan that plan --json wrote: target, drivers and network cards are those that it was made with. convert does exactly what it says, or refuses; "-" is the standard input' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -s d -l description -d 'The description that inspect --xml wrote, edited or not; "-" is the standard input' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l nic -d 'A network card that the target gives the guest, by its MAC address; repeat it in the source\'s order, or name the interface' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l libvirt-xml -d 'A libvirt domain XML: its network cards, in its order' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l rebuild -d 'How initramfs images get drivers that they lack' -r -f -a "append\t'A segment is appended; nothing of the guest is run'
guest\t'The guest\'s own tool is run, inside the appliance'"
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l output -d 'Write the result into this new image and leave the disk alone; repeat it for each disk, in their order' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l output-format -d 'The format of the new images [default: that of each disk]' -r -f -a "raw\t'The bytes of the disk, with holes'
qcow2\t'QEMU\'s copy-on-write format'"
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l record -d 'Write a record of the conversion into this new file: versions, the plan\'s hash, hashes of every changed file' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l hardware -d 'Write the machine that the target must give the guest, with its disks, instead of what was done' -r -f -a "libvirt\t'A libvirt domain, for virsh define. Name, memory, processors and network may be changed'
qemu\t'A command that starts QEMU with KVM'"
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l color -d 'When to colour what is written' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l allow-backing -d 'Open the files that an image names: what it is based on, the extents of a VMDK. Only for images from a trusted source'
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l keys-from-stdin -d 'Read passphrases from the standard input, one per line; each is tried for every encrypted device'
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l require-confinement -d 'Stop before anything is run if this host cannot confine completely what meets the guest'
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l timings -d 'Show where the time went, on the standard error; beside --json as one JSON object'
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -s v -l verbose -d 'Show what the appliance says, on the standard error'
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l no-undo -d 'Do not keep the originals of what changes: the conversion cannot be undone'
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l hash-disks -d 'Have the hashes of whole disks in the record, before and after; takes as long as reading them twice'
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -l json -d 'Write the outcome as JSON'
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c guestconv -n "__fish_guestconv_using_subcommand convert" -s V -l version -d 'Print version'
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l format -d 'The format of the disks. Say it for disks from an untrusted source: a guest can write what auto looks at' -r -f -a "auto\t'What the bytes say; other files are never followed'
raw\t'The bytes of the disk'
qcow2\t'QEMU\'s copy-on-write format'
vmdk\t'VMware\'s format, which is only read'
vhd\t'Virtual PC\'s format, which is only read'
vhdx\t'Hyper-V\'s format, which is only read'
vdi\t'VirtualBox\'s format, which is only read'"
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l key -d 'What opens an encrypted device: SELECTOR:key:PASSPHRASE or SELECTOR:file:FILE. The selector is a device as the documents name it (/dev/sda2, /dev/VG/LV), its UUID, or "all". A passphrase on the command line can be seen by other users of this host; a file need not' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l overlay-dir -d 'Where overlays are while a conversion runs [default: beside each disk]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l appliance -d 'The directory of the appliance [default: GUESTCONV_APPLIANCE, or beside the program]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l runner -d 'What runs the appliance: its own kernel, or a distribution\'s under QEMU [default: GUESTCONV_RUNNER, or whichever can]' -r -f -a "uml\t'The appliance\'s own kernel, as a process'
qemu\t'A distribution\'s kernel, under QEMU: slower'"
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l grub-dir -d 'The directory of the GRUB 2 that a disk without boot loader is given, with its i386-pc and x86_64-efi [default: where the packages of this host put them]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l time-limit -d 'How long one run of the appliance may take' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l progress -d 'How progress is shown, on the standard error' -r -f -a "auto\t'A bar on a terminal, for what takes long'
json\t'One JSON object per line'
none\t'Not at all'"
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l color -d 'When to colour what is written' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l allow-backing -d 'Open the files that an image names: what it is based on, the extents of a VMDK. Only for images from a trusted source'
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l keys-from-stdin -d 'Read passphrases from the standard input, one per line; each is tried for every encrypted device'
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l require-confinement -d 'Stop before anything is run if this host cannot confine completely what meets the guest'
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l timings -d 'Show where the time went, on the standard error; beside --json as one JSON object'
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -s v -l verbose -d 'Show what the appliance says, on the standard error'
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -l force -d 'Put the originals back even if a disk was written since: only for disks that were touched and not changed'
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c guestconv -n "__fish_guestconv_using_subcommand undo" -s V -l version -d 'Print version'
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l format -d 'The format of the disks. Say it for disks from an untrusted source: a guest can write what auto looks at' -r -f -a "auto\t'What the bytes say; other files are never followed'
raw\t'The bytes of the disk'
qcow2\t'QEMU\'s copy-on-write format'
vmdk\t'VMware\'s format, which is only read'
vhd\t'Virtual PC\'s format, which is only read'
vhdx\t'Hyper-V\'s format, which is only read'
vdi\t'VirtualBox\'s format, which is only read'"
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l key -d 'What opens an encrypted device: SELECTOR:key:PASSPHRASE or SELECTOR:file:FILE. The selector is a device as the documents name it (/dev/sda2, /dev/VG/LV), its UUID, or "all". A passphrase on the command line can be seen by other users of this host; a file need not' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l overlay-dir -d 'Where overlays are while a conversion runs [default: beside each disk]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l appliance -d 'The directory of the appliance [default: GUESTCONV_APPLIANCE, or beside the program]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l runner -d 'What runs the appliance: its own kernel, or a distribution\'s under QEMU [default: GUESTCONV_RUNNER, or whichever can]' -r -f -a "uml\t'The appliance\'s own kernel, as a process'
qemu\t'A distribution\'s kernel, under QEMU: slower'"
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l grub-dir -d 'The directory of the GRUB 2 that a disk without boot loader is given, with its i386-pc and x86_64-efi [default: where the packages of this host put them]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l time-limit -d 'How long one run of the appliance may take' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l progress -d 'How progress is shown, on the standard error' -r -f -a "auto\t'A bar on a terminal, for what takes long'
json\t'One JSON object per line'
none\t'Not at all'"
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l color -d 'When to colour what is written' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l allow-backing -d 'Open the files that an image names: what it is based on, the extents of a VMDK. Only for images from a trusted source'
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l keys-from-stdin -d 'Read passphrases from the standard input, one per line; each is tried for every encrypted device'
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l require-confinement -d 'Stop before anything is run if this host cannot confine completely what meets the guest'
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -l timings -d 'Show where the time went, on the standard error; beside --json as one JSON object'
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -s v -l verbose -d 'Show what the appliance says, on the standard error'
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c guestconv -n "__fish_guestconv_using_subcommand discard-undo" -s V -l version -d 'Print version'
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l format -d 'The format of the disks. Say it for disks from an untrusted source: a guest can write what auto looks at' -r -f -a "auto\t'What the bytes say; other files are never followed'
raw\t'The bytes of the disk'
qcow2\t'QEMU\'s copy-on-write format'
vmdk\t'VMware\'s format, which is only read'
vhd\t'Virtual PC\'s format, which is only read'
vhdx\t'Hyper-V\'s format, which is only read'
vdi\t'VirtualBox\'s format, which is only read'"
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l key -d 'What opens an encrypted device: SELECTOR:key:PASSPHRASE or SELECTOR:file:FILE. The selector is a device as the documents name it (/dev/sda2, /dev/VG/LV), its UUID, or "all". A passphrase on the command line can be seen by other users of this host; a file need not' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l overlay-dir -d 'Where overlays are while a conversion runs [default: beside each disk]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l appliance -d 'The directory of the appliance [default: GUESTCONV_APPLIANCE, or beside the program]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l runner -d 'What runs the appliance: its own kernel, or a distribution\'s under QEMU [default: GUESTCONV_RUNNER, or whichever can]' -r -f -a "uml\t'The appliance\'s own kernel, as a process'
qemu\t'A distribution\'s kernel, under QEMU: slower'"
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l grub-dir -d 'The directory of the GRUB 2 that a disk without boot loader is given, with its i386-pc and x86_64-efi [default: where the packages of this host put them]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l time-limit -d 'How long one run of the appliance may take' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l progress -d 'How progress is shown, on the standard error' -r -f -a "auto\t'A bar on a terminal, for what takes long'
json\t'One JSON object per line'
none\t'Not at all'"
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l color -d 'When to colour what is written' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l allow-backing -d 'Open the files that an image names: what it is based on, the extents of a VMDK. Only for images from a trusted source'
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l keys-from-stdin -d 'Read passphrases from the standard input, one per line; each is tried for every encrypted device'
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l require-confinement -d 'Stop before anything is run if this host cannot confine completely what meets the guest'
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l timings -d 'Show where the time went, on the standard error; beside --json as one JSON object'
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -s v -l verbose -d 'Show what the appliance says, on the standard error'
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -l json -d 'Write what was repaired as JSON'
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c guestconv -n "__fish_guestconv_using_subcommand recover" -s V -l version -d 'Print version'
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l format -d 'The format of the disks. Say it for disks from an untrusted source: a guest can write what auto looks at' -r -f -a "auto\t'What the bytes say; other files are never followed'
raw\t'The bytes of the disk'
qcow2\t'QEMU\'s copy-on-write format'
vmdk\t'VMware\'s format, which is only read'
vhd\t'Virtual PC\'s format, which is only read'
vhdx\t'Hyper-V\'s format, which is only read'
vdi\t'VirtualBox\'s format, which is only read'"
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l key -d 'What opens an encrypted device: SELECTOR:key:PASSPHRASE or SELECTOR:file:FILE. The selector is a device as the documents name it (/dev/sda2, /dev/VG/LV), its UUID, or "all". A passphrase on the command line can be seen by other users of this host; a file need not' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l overlay-dir -d 'Where overlays are while a conversion runs [default: beside each disk]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l appliance -d 'The directory of the appliance [default: GUESTCONV_APPLIANCE, or beside the program]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l runner -d 'What runs the appliance: its own kernel, or a distribution\'s under QEMU [default: GUESTCONV_RUNNER, or whichever can]' -r -f -a "uml\t'The appliance\'s own kernel, as a process'
qemu\t'A distribution\'s kernel, under QEMU: slower'"
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l grub-dir -d 'The directory of the GRUB 2 that a disk without boot loader is given, with its i386-pc and x86_64-efi [default: where the packages of this host put them]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l time-limit -d 'How long one run of the appliance may take' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l progress -d 'How progress is shown, on the standard error' -r -f -a "auto\t'A bar on a terminal, for what takes long'
json\t'One JSON object per line'
none\t'Not at all'"
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -s t -l target -d 'The hypervisor that the guest shall boot on; "guestconv targets" lists them' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l plan -d 'A plan that plan --json wrote: target, drivers and network cards are those that it was made with. convert does exactly what it says, or refuses; "-" is the standard input' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -s d -l description -d 'The description that inspect --xml wrote, edited or not; "-" is the standard input' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l nic -d 'A network card that the target gives the guest, by its MAC address; repeat it in the source\'s order, or name the interface' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l libvirt-xml -d 'A libvirt domain XML: its network cards, in its order' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l rebuild -d 'How initramfs images get drivers that they lack' -r -f -a "append\t'A segment is appended; nothing of the guest is run'
guest\t'The guest\'s own tool is run, inside the appliance'"
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l color -d 'When to colour what is written' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l allow-backing -d 'Open the files that an image names: what it is based on, the extents of a VMDK. Only for images from a trusted source'
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l keys-from-stdin -d 'Read passphrases from the standard input, one per line; each is tried for every encrypted device'
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l require-confinement -d 'Stop before anything is run if this host cannot confine completely what meets the guest'
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l timings -d 'Show where the time went, on the standard error; beside --json as one JSON object'
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -s v -l verbose -d 'Show what the appliance says, on the standard error'
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -l json -d 'Write the report as JSON'
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c guestconv -n "__fish_guestconv_using_subcommand verify" -s V -l version -d 'Print version'
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l format -d 'The format of the disks. Say it for disks from an untrusted source: a guest can write what auto looks at' -r -f -a "auto\t'What the bytes say; other files are never followed'
raw\t'The bytes of the disk'
qcow2\t'QEMU\'s copy-on-write format'
vmdk\t'VMware\'s format, which is only read'
vhd\t'Virtual PC\'s format, which is only read'
vhdx\t'Hyper-V\'s format, which is only read'
vdi\t'VirtualBox\'s format, which is only read'"
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l key -d 'What opens an encrypted device: SELECTOR:key:PASSPHRASE or SELECTOR:file:FILE. The selector is a device as the documents name it (/dev/sda2, /dev/VG/LV), its UUID, or "all". A passphrase on the command line can be seen by other users of this host; a file need not' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l overlay-dir -d 'Where overlays are while a conversion runs [default: beside each disk]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l appliance -d 'The directory of the appliance [default: GUESTCONV_APPLIANCE, or beside the program]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l runner -d 'What runs the appliance: its own kernel, or a distribution\'s under QEMU [default: GUESTCONV_RUNNER, or whichever can]' -r -f -a "uml\t'The appliance\'s own kernel, as a process'
qemu\t'A distribution\'s kernel, under QEMU: slower'"
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l grub-dir -d 'The directory of the GRUB 2 that a disk without boot loader is given, with its i386-pc and x86_64-efi [default: where the packages of this host put them]' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l time-limit -d 'How long one run of the appliance may take' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l progress -d 'How progress is shown, on the standard error' -r -f -a "auto\t'A bar on a terminal, for what takes long'
json\t'One JSON object per line'
none\t'Not at all'"
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -s t -l target -d 'The hypervisor that the guest shall boot on; "guestconv targets" lists them' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l plan -d 'A plan that plan --json wrote: target, drivers and network cards are those that it was made with. convert does exactly what it says, or refuses; "-" is the standard input' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -s d -l description -d 'The description that inspect --xml wrote, edited or not; "-" is the standard input' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l nic -d 'A network card that the target gives the guest, by its MAC address; repeat it in the source\'s order, or name the interface' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l libvirt-xml -d 'A libvirt domain XML: its network cards, in its order' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l rebuild -d 'How initramfs images get drivers that they lack' -r -f -a "append\t'A segment is appended; nothing of the guest is run'
guest\t'The guest\'s own tool is run, inside the appliance'"
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l machine -d 'Boot on another machine than the plan\'s: vmware, vmware-old, virtio, virtio-scsi, ide, ahci, nvme, e1000' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l boot-limit -d 'How long the guest may take to come up' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l expect -d 'An address that the guest must answer by; NIC is the card\'s id. Repeat it for more' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l login -d 'Log in as this user, to ask the guest itself' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l password-file -d 'The file with the password of --login in its first line' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l command -d 'Run this in the guest when logged in, and show what it prints' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l evidence -d 'Leave the serial log and a screenshot in this directory' -r -F
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l memory -d 'The guest\'s memory' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l cpus -d 'The guest\'s processors' -r
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l color -d 'When to colour what is written' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l allow-backing -d 'Open the files that an image names: what it is based on, the extents of a VMDK. Only for images from a trusted source'
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l keys-from-stdin -d 'Read passphrases from the standard input, one per line; each is tried for every encrypted device'
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l require-confinement -d 'Stop before anything is run if this host cannot confine completely what meets the guest'
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l timings -d 'Show where the time went, on the standard error; beside --json as one JSON object'
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -s v -l verbose -d 'Show what the appliance says, on the standard error'
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l tcg -d 'Do not use KVM, even if it works'
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -l json -d 'Write the proof as JSON'
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c guestconv -n "__fish_guestconv_using_subcommand prove" -s V -l version -d 'Print version'
complete -c guestconv -n "__fish_guestconv_using_subcommand targets" -l color -d 'When to colour what is written' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c guestconv -n "__fish_guestconv_using_subcommand targets" -l json -d 'Write JSON'
complete -c guestconv -n "__fish_guestconv_using_subcommand targets" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c guestconv -n "__fish_guestconv_using_subcommand targets" -s V -l version -d 'Print version'
complete -c guestconv -n "__fish_guestconv_using_subcommand schema" -l color -d 'When to colour what is written' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c guestconv -n "__fish_guestconv_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c guestconv -n "__fish_guestconv_using_subcommand schema" -s V -l version -d 'Print version'
complete -c guestconv -n "__fish_guestconv_using_subcommand help; and not __fish_seen_subcommand_from inspect plan convert undo discard-undo recover verify prove targets schema help" -f -a "inspect" -d 'Say what is on the disks and which devices the guest can have on the target; writes nothing'
complete -c guestconv -n "__fish_guestconv_using_subcommand help; and not __fish_seen_subcommand_from inspect plan convert undo discard-undo recover verify prove targets schema help" -f -a "plan" -d 'Show every change that a conversion would make, with its reason; writes nothing'
complete -c guestconv -n "__fish_guestconv_using_subcommand help; and not __fish_seen_subcommand_from inspect plan convert undo discard-undo recover verify prove targets schema help" -f -a "convert" -d 'Convert the guest in place: on overlays first, looked at again, then committed'
complete -c guestconv -n "__fish_guestconv_using_subcommand help; and not __fish_seen_subcommand_from inspect plan convert undo discard-undo recover verify prove targets schema help" -f -a "undo" -d 'Put back what the last conversion changed: the disks are bit for bit what they were'
complete -c guestconv -n "__fish_guestconv_using_subcommand help; and not __fish_seen_subcommand_from inspect plan convert undo discard-undo recover verify prove targets schema help" -f -a "discard-undo" -d 'Give up the originals that a conversion has kept: it cannot be undone any more'
complete -c guestconv -n "__fish_guestconv_using_subcommand help; and not __fish_seen_subcommand_from inspect plan convert undo discard-undo recover verify prove targets schema help" -f -a "recover" -d 'Finish or clear away what a conversion left that was killed; every other command does so first, too'
complete -c guestconv -n "__fish_guestconv_using_subcommand help; and not __fish_seen_subcommand_from inspect plan convert undo discard-undo recover verify prove targets schema help" -f -a "verify" -d 'Look at a converted guest and say what is still missing; writes nothing'
complete -c guestconv -n "__fish_guestconv_using_subcommand help; and not __fish_seen_subcommand_from inspect plan convert undo discard-undo recover verify prove targets schema help" -f -a "prove" -d 'Boot the guest under QEMU on a throw-away overlay and say what came up; writes nothing'
complete -c guestconv -n "__fish_guestconv_using_subcommand help; and not __fish_seen_subcommand_from inspect plan convert undo discard-undo recover verify prove targets schema help" -f -a "targets" -d 'List the hypervisors that a guest can be converted for'
complete -c guestconv -n "__fish_guestconv_using_subcommand help; and not __fish_seen_subcommand_from inspect plan convert undo discard-undo recover verify prove targets schema help" -f -a "schema" -d 'Print the schema of a document'
complete -c guestconv -n "__fish_guestconv_using_subcommand help; and not __fish_seen_subcommand_from inspect plan convert undo discard-undo recover verify prove targets schema help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
