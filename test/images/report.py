"""Patient report: stays and mean age by ward. (marker: cobalt-heron-report-source)"""
import argparse
import csv
import hashlib
import json
import os
import sqlite3
import ssl
import statistics
import sys


def cobalt_heron_group(rows, key):
    groups = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return dict(sorted(groups.items()))


def main():
    parser = argparse.ArgumentParser(prog="report")
    parser.add_argument("--by", default="ward", choices=["ward", "diagnosis"])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--exit", type=int, default=0)
    options = parser.parse_args()

    with open("/app/patients.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    database = sqlite3.connect(":memory:")
    database.execute("create table stay (patient text, nights integer)")
    database.executemany("insert into stay values (?, ?)", [(row["name"], int(row["nights"])) for row in rows])
    nights = database.execute("select sum(nights) from stay").fetchone()[0]

    groups = {
        name: {
            "patients": len(members),
            "mean age": round(statistics.mean(int(row["age"]) for row in members), 1),
            "nights": sum(int(row["nights"]) for row in members),
        }
        for name, members in cobalt_heron_group(rows, options.by).items()
    }
    if options.json:
        print(json.dumps(groups, indent=1))
    else:
        with open("/usr/local/share/report/header.txt", encoding="utf-8") as file:
            print(file.read().strip())
        print(f"{os.environ['REPORT_TITLE']}: {len(rows)} patients, {nights} nights, by {options.by}")
        for name, group in groups.items():
            print(f"  {name:<24}{group['patients']:>5}{group['mean age']:>7}{group['nights']:>7}")
        oldest = max(rows, key=lambda row: (int(row["age"]), row["name"]))
        print(f"oldest: {oldest['name']}, {oldest['age']}")
        with open("/app/patients.csv", "rb") as file:
            print(f"data: SHA-256 {hashlib.sha256(file.read()).hexdigest()[:16]}")
        print(f"user {os.getuid()}:{os.getgid()} in {os.getcwd()}, {ssl.OPENSSL_VERSION.split()[0]}")
        print("templates:", *sorted(os.listdir("/usr/local/share/report")), *sorted(os.listdir("/var/lib/report")))
    sys.exit(options.exit)


main()
