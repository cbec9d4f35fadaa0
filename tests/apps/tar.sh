#!/bin/bash
# tar in and compare, cp -a, cp --reflink=auto, mv out of the pod and in again. Usage: tar.sh DIR SCRATCH
set -euo pipefail
dir=$1 scratch=$2
mkdir -p "$scratch/t/sub"
head -c 3000000 /dev/urandom >"$scratch/t/big"
head -c 777 /dev/urandom >"$scratch/t/sub/small"
ln -s ../big "$scratch/t/sub/soft"
ln "$scratch/t/big" "$scratch/t/sub/hard"
mkfifo "$scratch/t/fifo"
truncate -s 20M "$scratch/t/hole"
printf island | dd of="$scratch/t/hole" bs=1 seek=7000000 conv=notrunc status=none
touch -d '1903-04-05 06:07:08.123456789 UTC' "$scratch/t/sub/small"
tar -C "$scratch" --sparse -cf "$scratch/t.tar" t

mkdir "$dir/x"
tar -C "$dir/x" -xpf "$scratch/t.tar"
tar -C "$dir/x" --compare -f "$scratch/t.tar"
tar -C "$dir/x" --sparse -cf "$dir/again.tar" t
tar -C "$scratch" --compare -f "$dir/again.tar"
[ "$(du -k "$dir/x/t/hole" | cut -f1)" -lt 1000 ] || { echo "tar filled the hole"; exit 1; }

cp -a "$dir/x/t" "$dir/copy"
diff -r --no-dereference --exclude=fifo "$dir/x/t" "$dir/copy"
[ "$(stat -c %y "$dir/copy/sub/small")" = "$(stat -c %y "$dir/x/t/sub/small")" ]
[ "$(stat -c %i "$dir/copy/big")" = "$(stat -c %i "$dir/copy/sub/hard")" ]

# A copy by reference, changed in one place, leaves the other copies as they were.
head -c 50000000 /dev/urandom >"$dir/large"
cp --reflink=auto "$dir/large" "$dir/large.2"
cp --reflink=auto --sparse=never "$dir/large.2" "$dir/large.3"
cmp "$dir/large" "$dir/large.3"
printf changed | dd of="$dir/large.2" bs=1 seek=12345678 conv=notrunc status=none
cmp "$dir/large" "$dir/large.3"
[ "$(cmp -l "$dir/large" "$dir/large.2" | wc -l)" -le 7 ]
rm "$dir/large"
[ "$(tail -c +12345679 "$dir/large.2" | head -c 7)" = changed ]

mv "$dir/large.2" "$scratch/moved"
mv "$scratch/moved" "$dir/back"
[ "$(tail -c +12345679 "$dir/back" | head -c 7)" = changed ]
mv "$dir/x" "$dir/y"
tar -C "$dir/y" --compare -f "$scratch/t.tar"
