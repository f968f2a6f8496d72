# A repository of some thousand files: every command that moves many of them, then what git itself finds wrong.
set -eu
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git init -q -b main origin
cd origin
python3 -c '
import os
for i in range(3000):
    folder = f"part{i % 60}/inner{i % 7}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/file{i}", "w") as file:
        file.write(f"line {i}\n" * (i % 90 + 1))
'
ln -s part1/inner1 link
chmod +x part0/inner0/*
git add .
git commit -qm first
git checkout -qb side
for i in 1 2 3 4 5 6 7; do echo "side $i" >> part$i/new; done
git add .
git commit -qm side
git checkout -q main
git rm -q 'part8/*'
git mv part9 renamed
for file in part10/*/*; do echo changed >> "$file"; done
git commit -qam second
git merge -q -m merged side
git gc -q --prune=now
git fsck --strict --full
test -z "$(git status --porcelain)"
cd ..
git clone -q origin linked
git clone -q --no-local origin copied
git -C copied checkout -q HEAD~1
git -C copied checkout -q -
git -C linked worktree add -q ../tree origin/side
git -C linked repack -qadf
git -C linked fsck --strict --full
for at in linked copied tree; do
  test -z "$(git -C $at status --porcelain)"
  git -C $at rev-parse HEAD
done
git -C origin cat-file --batch-all-objects --batch-check | sort
