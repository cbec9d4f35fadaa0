#!/bin/bash
# gio throws a file into the trash of the mount and takes it back; gio saves over a file. Usage: trash.sh DIR SCRATCH
set -euo pipefail
dir=$1 scratch=$2
export HOME=$scratch/home XDG_DATA_HOME=$scratch/home/.local/share
mkdir -p "$XDG_DATA_HOME"
cd "$dir"
echo keep >doc.txt
mkdir folder && echo deep >folder/inner
grep -q 'standard::size: 5' <<<"$(gio info doc.txt)"
gio copy doc.txt copy.txt && cmp doc.txt copy.txt
gio move copy.txt moved.txt && [ ! -e copy.txt ]
printf 'saved by gio\n' | gio save doc.txt
[ "$(cat doc.txt)" = "saved by gio" ]
dbus-run-session -- gio trash doc.txt folder
[ ! -e doc.txt ] && [ ! -e folder ]
bin=$(find "$dir" -maxdepth 2 -name '.Trash*' -type d | head -1)
[ -n "$bin" ] || { echo "no trash folder in the mount: $(ls -A "$dir")"; exit 1; }
[ "$(cat "$bin"/files/doc.txt)" = "saved by gio" ]
grep -q 'Path=.*doc.txt' "$bin/info/doc.txt.trashinfo"
mv "$bin/files/doc.txt" doc.txt && rm -rf "$bin"
