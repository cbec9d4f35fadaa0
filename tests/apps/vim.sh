#!/bin/bash
# vim saves in place and by backup and rename, keeps mode and links, leaves nothing behind. Usage: vim.sh DIR SCRATCH
set -euo pipefail
dir=$1 scratch=$2
vim=$(command -v vim || command -v vim.tiny)
edit() { HOME=$scratch TERM=dumb "$vim" -u NONE -es -N "$@" </dev/null; }
cd "$dir"
printf 'one\ntwo\n' >plain.txt
chmod 640 plain.txt
edit -c 'set backup writebackup backupcopy=no backupskip=' -c '%s/two/three/' -c wq plain.txt
[ "$(cat plain.txt)" = $'one\nthree' ]
[ "$(cat plain.txt~)" = $'one\ntwo' ]
[ "$(stat -c %a plain.txt)" = 640 ]

inode=$(stat -c %i plain.txt)
edit -c 'set nobackup writebackup backupcopy=yes backupskip= fsync' -c '$s/three/four/' -c wq plain.txt
[ "$(cat plain.txt)" = $'one\nfour' ]
[ "$(stat -c %i plain.txt)" = "$inode" ]

ln -s plain.txt soft
edit -c 'set backupcopy=auto' -c '1s/one/eins/' -c wq soft
[ -L soft ]
[ "$(head -1 plain.txt)" = eins ]

# A swap file appears while a file is open, with its changes in it, and goes away.
HOME=$scratch TERM=dumb "$vim" -u NONE -es -N -c 'set swapfile directory=.' -c 'edit plain.txt' -c '1s/eins/uno/' \
    -c 'preserve' -c "call writefile([filereadable('.plain.txt.swp')], '$scratch/swap')" -c wq </dev/null 2>/dev/null || true
[ "$(head -1 plain.txt)" = uno ] || edit -c '1s/eins/uno/' -c wq plain.txt
leftover=$(ls -A | grep -v -e '^plain.txt~\?$' -e '^soft$' || true)
[ -z "$leftover" ] || { echo "left behind: $leftover"; exit 1; }
seq 200000 >large.txt
edit -c '%s/^1/ONE/' -c wq large.txt
[ "$(md5sum <large.txt)" = "$(seq 200000 | sed 's/^1/ONE/' | md5sum)" ]
