use super::*;

const DEBIAN: &str = r#"
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
else
   set default="${saved_entry}"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
function savedefault {
  if [ -z "${boot_once}" ]; then
    linux /never
  fi
}
menuentry 'Debian' --class debian $menuentry_id_option 'gnulinux-simple-u1' {
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	set root='hd0,msdos1'
	if [ x$feature_platform_search_hint = xy ]; then
	  search --no-floppy --fs-uuid --set=root --hint-bios=hd0,msdos1  u1
	else
	  search --no-floppy --fs-uuid --set=root u2
	fi
	linux	/vmlinuz-1 root=UUID=u1 ro $extra quiet
	initrd	/ucode /initrd-1
}
submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced-u1' {
	menuentry 'Debian, 1 (recovery mode)' $menuentry_id_option 'gnulinux-1-recovery-u1' {
		linux	/vmlinuz-1 root=UUID=u1 ro single
	}
	menuentry 'Debian, 2' $menuentry_id_option 'gnulinux-2' {
		search.fs_label L root
		linux	/vmlinuz-2 root=LABEL=L
	}
}
menuentry 'Windows' { set root='hd0,msdos2'
 chainloader --force +1 }
menuentry 'Xen' { multiboot /xen.gz dom0_mem=1
 module /vmlinuz-3 placeholder root=/dev/sda1
 module --nounzip /initrd-3
}
"#;

fn others(menu: &Menu) -> Vec<(&str, Option<&str>, Option<&str>)> {
    let fields = menu.others.iter();
    fields.map(|entry| (entry.title.as_str(), entry.root.as_deref(), entry.chainloads.as_deref())).collect()
}

fn titles(menu: &Menu) -> Vec<(&str, bool)> {
    menu.entries.iter().map(|entry| (entry.title.as_str(), entry.default)).collect()
}

#[test]
fn a_menu_is_followed() {
    let menu = follow(DEBIAN, &[("saved_entry".into(), "0".into())], &[]);
    assert_eq!(
        titles(&menu),
        [("Debian", true), ("Debian, 1 (recovery mode)", false), ("Debian, 2", false), ("Xen", false)]
    );
    assert_eq!(others(&menu), [("Windows", Some("hd0,msdos2"), Some("+1"))]);
    let place = |number: usize, title: &str, id: &str| (number, title.to_owned(), id.to_owned());
    assert_eq!(
        menu.entries[0],
        MenuEntry {
            title: "Debian".into(),
            id: "gnulinux-simple-u1".into(),
            root: Some("UUID=u1".into()),
            kernel: "/vmlinuz-1".into(),
            arguments: ["root=UUID=u1", "ro", "$extra", "quiet"].map(str::to_owned).to_vec(),
            initrds: vec!["/ucode".into(), "/initrd-1".into()],
            chainloads: None,
            bls: None,
            default: true,
            place: vec![place(0, "Debian", "gnulinux-simple-u1")],
        }
    );
    assert_eq!(menu.entries[2].root.as_deref(), Some("LABEL=L"));
    let xen = &menu.entries[3];
    assert_eq!((xen.kernel.as_str(), xen.initrds.as_slice()), ("/vmlinuz-3", &["/initrd-3".to_owned()][..]));
    assert!(!menu.uses_bls);
}

#[test]
fn the_default_is_a_number_a_title_or_an_id_of_each_level() {
    for (saved, title) in [
        ("", "Debian"),
        ("nonsense", "Debian"),
        ("1>1", "Debian, 2"),
        ("gnulinux-advanced-u1>gnulinux-2", "Debian, 2"),
        ("Advanced options>Debian, 1 (recovery mode)", "Debian, 1 (recovery mode)"),
        ("3", "Xen"),
    ] {
        let menu = follow(DEBIAN, &[("saved_entry".into(), saved.into())], &[]);
        let default: Vec<_> =
            menu.entries.iter().filter(|entry| entry.default).map(|e| e.title.as_str()).collect();
        assert_eq!(default, [title], "{saved}");
    }
}

#[test]
fn a_default_that_starts_no_kernel_is_none_of_ours() {
    let menu = follow(DEBIAN, &[("saved_entry".into(), "2".into())], &[]);
    assert!(menu.entries.iter().all(|entry| !entry.default));
}

#[test]
fn entries_of_the_specification_stand_where_blscfg_is() {
    let text = "load_env\nset default=\"${saved_entry}\"\nset kernelopts=\"root=/dev/sda1 ro \"\n\
                search --no-floppy --fs-uuid --set=root b1\nblscfg\nmenuentry 'Own' { linux /k\n}\n";
    let bls = [Bls { id: "m-2", title: "Two" }, Bls { id: "m-1", title: "One" }];
    let menu = follow(text, &[("saved_entry".into(), "m-1".into())], &bls);
    assert_eq!(titles(&menu), [("Two", false), ("One", true), ("Own", false)]);
    assert_eq!(menu.entries[1].bls, Some(1));
    assert_eq!(menu.entries[1].root.as_deref(), Some("UUID=b1"));
    assert_eq!(menu.variables.get("kernelopts").map(String::as_str), Some("root=/dev/sda1 ro "));
    assert!(menu.uses_bls);
}

#[test]
fn conditions_are_weighed() {
    for (condition, holds) in [
        ("[ a ]", true),
        ("[ \"\" ]", false),
        ("[ ! \"\" ]", true),
        ("[ -n \"$x\" ]", false),
        ("[ -z \"$x\" ]", true),
        ("[ x$x = xy -o a == a ]", true),
        ("[ a = a -a a != a ]", false),
        ("[ -s $prefix/grubenv ]", true),
        ("loadfont unicode", true),
    ] {
        let text = format!("if {condition}; then set v=yes; else set v=no; fi");
        let menu = follow(&text, &[], &[]);
        assert_eq!(menu.variables["v"], if holds { "yes" } else { "no" }, "{condition}");
    }
}

#[test]
fn a_menu_that_grows_without_end_is_cut() {
    let doubled = "set a=x\n".to_owned() + &"set a=$a$a\n".repeat(64) + "linux $a\n";
    assert!(follow(&doubled, &[], &[]).variables["a"].len() <= VALUE_CAP_BYTES);
    let many = "menuentry x { linux /k\n}\n".repeat(2000);
    assert_eq!(follow(&many, &[], &[]).entries.len(), ENTRIES_CAP);
    let open =
        "if true; then\n".repeat(5000) + &"{ ".repeat(5000) + &format!("if [ {}a ]", "! ".repeat(100_000));
    assert_eq!(follow(&open, &[], &[]).entries, []);
}

#[test]
fn a_menu_without_end_is_passed_over() {
    let plain = "menuentry 'last' { linux /vmlinuz root=/dev/sda1 }\n";
    for (open, close) in [("submenu 'x' {\n", "}\n"), ("if [ x = x ]; then\n", "fi\n")] {
        let deep = format!("{}{plain}{}{plain}", open.repeat(100_000), close.repeat(100_000));
        let titles: Vec<String> =
            follow(&deep, &[], &[]).entries.into_iter().map(|entry| entry.title).collect();
        assert_eq!(titles, ["last"], "{open}: what is too deep is not shown, what is behind it is");
    }
    let long = format!("menuentry x {{ linux /vmlinuz{} }}\n", " root=/dev/sda1".repeat(100_000));
    let arguments = &follow(&long, &[], &[]).entries[0].arguments;
    assert_eq!(arguments.len(), (ARGUMENTS_CAP_BYTES - "/vmlinuz".len()) / "root=/dev/sda1".len());
}
