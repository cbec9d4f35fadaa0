#!/bin/bash
# A repository with a few thousand files: commit, clone, branch, merge, gc, fsck, and a second status that
# finds every file as it was. Usage: git.sh DIR SCRATCH
set -euo pipefail
dir=$1 scratch=$2
export HOME=$scratch GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" GIT_COMMITTER_DATE="2020-01-01T00:00:00Z"
git config --global user.name test
git config --global user.email test@example.org
git config --global init.defaultBranch main
git config --global gc.auto 0

git init -q "$dir/origin"
cd "$dir/origin"
[ "$(git config core.filemode)" = true ] || { echo "git found no file modes"; exit 1; }
[ "$(git config core.symlinks || echo true)" = true ] || { echo "git found no symlinks"; exit 1; }
[ "$(git config core.ignorecase || echo false)" = false ] || { echo "git found names without case"; exit 1; }
python3 - <<'PYTHON'
import os, random
chance = random.Random(1)
for folder in range(40):
    os.makedirs(f"src/{folder}/deep", exist_ok=True)
    for number in range(50):
        name = f"src/{folder}/{'deep/' if number % 5 == 0 else ''}file-{number}.txt"
        with open(name, "wb") as file:
            file.write(chance.randbytes(chance.randrange(3000)).hex().encode())
        if number % 10 == 3:
            os.chmod(name, 0o755)
    os.symlink("file-1.txt", f"src/{folder}/link")
PYTHON
git add -A
git commit -qm first
git checkout -qb side
for n in $(seq 0 9); do echo side >>"src/$n/file-1.txt"; done
git mv src/20 moved
git commit -qam side
git checkout -q main
for n in $(seq 10 19); do echo main >>"src/$n/file-1.txt"; done
git rm -qr src/39
git commit -qam main
git merge -q -m merge side
git stash list >/dev/null
git fsck --full --strict
git repack -adq
git gc -q --prune=now
git fsck --full

git clone -q "$dir/origin" "$dir/clone"
git clone -q --no-hardlinks "$dir/origin" "$scratch/outside"
cd "$dir/clone"
git worktree add -q "$dir/worktree" HEAD
git status --porcelain | { ! grep .; }
diff -r --exclude=.git "$dir/clone" "$scratch/outside"

# The second status may look at times and inodes, but may not read a file again.
sleep 1.1
git update-index -q --refresh
GIT_TRACE2_PERF=$scratch/trace git status --porcelain | { ! grep .; }
start=$(date +%s%N)
git status >/dev/null
took=$((($(date +%s%N) - start) / 1000000))
echo "status of $(git ls-files | wc -l) files: $took ms"
[ "$took" -lt 1000 ]
