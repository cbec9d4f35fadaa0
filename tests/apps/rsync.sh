#!/bin/bash
# A tree with every kind of file goes in and out again by rsync -aHX; nothing may differ in either direction.
# Usage: rsync.sh DIR SCRATCH
set -euo pipefail
dir=$1 scratch=$2
source=$scratch/source
mkdir -p "$source/a/b" "$source/empty" "$source/umlaut-ä"
python3 - "$source" <<'PYTHON'
import os, random, sys
root = sys.argv[1]
chance = random.Random(2)
for number in range(300):
    path = f"{root}/a/{'b/' if number % 3 else ''}f{number}"
    with open(path, "wb") as file:
        file.write(chance.randbytes(chance.choice([0, 1, 100, 4095, 4096, 4097, 70000])))
    os.chmod(path, chance.choice([0o600, 0o644, 0o755, 0o444]))
    os.utime(path, ns=(chance.randrange(2**62), chance.randrange(-10**18, 4 * 10**18)))
with open(root + "/sparse", "wb") as file:
    file.truncate(50_000_000)
    file.seek(30_000_000)
    file.write(b"island")
os.link(root + "/a/f0", root + "/hard")
os.link(root + "/a/f0", root + "/empty/hard too")
os.symlink("a/f0", root + "/soft")
os.symlink("nowhere/" + "x" * 200, root + "/dangling")
os.utime(root + "/soft", ns=(5, -7_000_000_001), follow_symlinks=False)
os.mkfifo(root + "/pipe")
with open(os.fsencode(root) + b"/bytes-\xff\xfe\n-name", "wb") as file:
    file.write(b"raw")
open(root + "/" + "n" * 255, "w").close()
for number in range(20):
    os.setxattr(f"{root}/a/f{number * 3}", "user.test." + "k" * number, chance.randbytes(number * 50))
if os.geteuid() == 0:
    os.chown(root + "/a/f3", 1234, 5678)
    os.chown(root + "/soft", 12, 34, follow_symlinks=False)
os.utime(root + "/a", ns=(0, -1))
PYTHON
rsync -aHX --sparse "$source/" "$dir/in/"
there=$(rsync -aHXnci --delete "$source/" "$dir/in/")
back=$(rsync -aHXnci --delete "$dir/in/" "$source/")
rsync -aHX --sparse "$dir/in/" "$scratch/out/"
out=$(rsync -aHXnci --delete "$source/" "$scratch/out/")
if [ -n "$there$back$out" ]; then
    printf 'differences:\n%s\n%s\n%s\n' "$there" "$back" "$out"
    exit 1
fi
[ "$(stat -c %h "$dir/in/hard")" = 3 ]
[ "$(du -k "$dir/in/sparse" | cut -f1)" -lt 1000 ] || { echo "the holes were filled"; exit 1; }
# Changed in part, sent as a difference and in place.
echo changed >>"$source/a/f1"
rsync -aHX --inplace --no-whole-file "$source/" "$dir/in/"
rsync -aHX --delete "$dir/in/" "$scratch/out/"
diff <(cd "$source" && find . -type f -exec md5sum {} + | sort) <(cd "$scratch/out" && find . -type f -exec md5sum {} + | sort)
rm -rf "$dir/in"
