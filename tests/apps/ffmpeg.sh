#!/bin/bash
# A film is made, its index moved to the front, and read from the middle. Usage: ffmpeg.sh DIR SCRATCH
set -euo pipefail
dir=$1 scratch=$2
ff() { ffmpeg -nostdin -hide_banner -loglevel error -y "$@"; }
make() { ff -f lavfi -i "testsrc=duration=20:size=320x240:rate=25" -f lavfi -i "sine=duration=20" -c:v mpeg4 -c:a aac -threads 1 -bitexact "$@"; }
make "$dir/film.mp4"
make -movflags +faststart "$dir/fast.mp4"
make "$scratch/film.mp4"
make -movflags +faststart "$scratch/fast.mp4"
cmp "$dir/film.mp4" "$scratch/film.mp4"
cmp "$dir/fast.mp4" "$scratch/fast.mp4"
for at in 17 3 11; do
    ff -ss $at -i "$dir/film.mp4" -frames:v 1 "$dir/at-$at.png"
    ff -ss $at -i "$scratch/film.mp4" -frames:v 1 "$scratch/at-$at.png"
    cmp "$dir/at-$at.png" "$scratch/at-$at.png"
done
ff -i "$dir/fast.mp4" -c copy "$dir/copy.mkv"
duration=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$dir/copy.mkv")
[ "${duration%.*}" = 20 ]
