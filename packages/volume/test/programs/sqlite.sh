# Databases in both kinds of journal: alone, by several processes at once, and by one that is killed in a transaction.
set -eu
cat > program.py <<'P'
import os, signal, sqlite3, subprocess, sys, time

MODE, WHAT = sys.argv[1:3]
db = sqlite3.connect(f"{MODE}.db", isolation_level=None, timeout=60)
if WHAT == "create":
    assert db.execute(f"pragma journal_mode = {MODE}").fetchone() == (MODE,)
    db.execute("create table t (writer integer, n integer, body blob, primary key (writer, n))")
    db.execute("create index i on t (body)")
    sys.exit()
if WHAT == "check":
    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    for row in db.execute("select writer, count(*), sum(n), sum(length(body)) from t group by writer order by writer"):
        print(MODE, *row)
    db.execute("vacuum")
    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    sys.exit()
writer = int(WHAT)
for start in range(0, 3000, 100):
    db.execute("begin immediate")
    for n in range(start, start + 100):
        db.execute("insert into t values (?, ?, ?)", (writer, n, b"%05d" % (n * 7919 % 100003) * (n % 40)))
    if start == 2000 and writer == 9:
        db.execute("pragma cache_spill = 1")
        os.kill(os.getpid(), signal.SIGKILL)
    db.execute("commit")
    if start % 500 == 0:
        db.execute("delete from t where writer = ? and n % 10 = 0", (writer,))
        db.execute("pragma wal_checkpoint")
P
for mode in delete wal; do
  python3 program.py $mode create
  python3 program.py $mode 1
  python3 program.py $mode 2 & two=$!
  python3 program.py $mode 3 & three=$!
  wait $two
  wait $three
  python3 -c "import subprocess, sys; sys.exit(subprocess.run(['python3', 'program.py', '$mode', '9']).returncode != -9)"
  python3 program.py $mode check
done
