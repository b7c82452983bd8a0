# File systems that have given privileges away when mounted in a user namespace.
for name in ["lower", "upper", "work", "merged"]:
    os.makedirs(name, exist_ok=True)
raw("unshare_user_mount", 272, CLONE_FLAGS["newuser"] | CLONE_FLAGS["newns"])
raw("overlay", 165, b"overlay", b"merged", b"overlay", 0, b"lowerdir=lower,upperdir=upper,workdir=work")
raw("overlay_over_usr", 165, b"overlay", b"merged", b"overlay", 0, b"lowerdir=/usr:/etc")
raw("fsopen_overlay", 430, b"overlay", 0)
raw("fsopen_fuse", 430, b"fuse", 0)
attempt("open_dev_fuse", open_for("/dev/fuse", os.O_RDWR))
raw("fuse", 165, b"fuse", b"merged", b"fuse", 0, b"fd=3,rootmode=40000,user_id=0,group_id=0")
for system in [b"ext4", b"xfs", b"squashfs", b"ntfs3", b"9p", b"nfs", b"mqueue", b"devpts", b"sysfs", b"tmpfs", b"ramfs"]:
    raw("mount_" + system.decode(), 165, b"none", b"merged", system, 0, 0)
say("done")
