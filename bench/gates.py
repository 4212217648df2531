"""Fails when a replay of the recorded sessions misses a gate: python gates.py results.jsonl (with ../shared/bench on the path)."""
import collections
import json
import sys

from report import summary, usable

rows = [row for row in map(json.loads, open(sys.argv[1], encoding="utf-8")) if "turns" in row and usable(row)]
groups = collections.defaultdict(list)
for row in rows:
    groups[row["kind"], row["dialect"]].append(row)
failed = []


def gate(name, value, holds):
    print(f"{'ok  ' if holds else 'FAIL'} {name}: {value}")
    if not holds:
        failed.append(name)


cost = {"direct": 0.0, "carried": 0.0}
for row in rows:
    own = row["cost"][row["dialect"]]
    cost["direct"] += own["direct"]
    cost["carried"] += own["fwd"] + own["regret"] + own.get("carry", 0)
everything = summary(rows)
gate("sessions played", len(rows), len(rows) > 0)
gate("errors", everything["errors"], everything["errors"] == 0)
gate("sessions with a moved prefix", everything["prefix_bad"], everything["prefix_bad"] == 0)
gate("sessions with changed words", everything["integrity_bad"], everything["integrity_bad"] == 0)
gate("replies changed", everything["reply_changed"], everything["reply_changed"] == 0)
gate("later-use recall", round(everything["fur"], 4), everything["fur"] >= 0.995)
for (kind, dialect), members in sorted(groups.items()):
    part = summary(members)[dialect]
    gate(f"net carried cost, {kind} {dialect}", round(part["net_carry"], 4), part["net_carry"] < 1.0)
    gate(f"sessions that cost more, {kind} {dialect}", part["loss"], part["loss"] == 0)
net = cost["carried"] / cost["direct"]
gate("net carried cost, all", round(net, 4), net < 0.95)
sys.exit(1 if failed else 0)
