#!/bin/bash
# A watcher sees everything that is done through the mount. Usage: inotify.sh DIR SCRATCH
set -euo pipefail
dir=$1 scratch=$2
mkdir "$dir/watched"
inotifywait -q -m -r --format '%e %f' "$dir/watched" >"$scratch/events" 2>"$scratch/errors" &
watcher=$!
trap 'kill $watcher 2>/dev/null; wait $watcher 2>/dev/null || true' EXIT
# Ready once a first file was seen.
for _ in $(seq 200); do
    touch "$dir/watched/ready"
    grep -q ready "$scratch/events" && break
    sleep 0.02
done
cd "$dir/watched"
echo new >file
echo more >>file
chmod 600 file
mv file renamed
mkdir folder
rm renamed
rmdir folder
touch last
for _ in $(seq 200); do
    grep -q 'CREATE last' "$scratch/events" && break
    sleep 0.02
done
for event in 'CREATE file' 'MODIFY file' 'CLOSE_WRITE,CLOSE file' 'ATTRIB file' 'MOVED_FROM file' 'MOVED_TO renamed' \
    'CREATE,ISDIR folder' 'DELETE renamed' 'DELETE,ISDIR folder' 'CREATE last'; do
    grep -qx "$event" "$scratch/events" || { echo "no event: $event"; cat "$scratch/events" "$scratch/errors"; exit 1; }
done
