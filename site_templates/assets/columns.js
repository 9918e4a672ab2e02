// Shards become one table of columns with the aliases v0…vk; rows are numbers, newest run first.
"use strict";
gitml.Columns = class {
  constructor() { this.rows = 0; this.all = []; this.index = new Map(); }

  add(shard) {
    const from = this.rows;
    this.rows += shard.n;
    shard.columns.forEach(([kind, name], place) => {
      const column = this.index.get(`${kind}\0${name}`) || this.define(kind, name, from);
      for (const value of this.decode(shard.values[place])) column.values.push(value);
      column.raw = column.raw || "x" in shard.values[place];
    });
    for (const column of this.all) while (column.values.length < this.rows) column.values.push(null);
  }

  // Call after the shards that are to be shown are added.
  settle() { this.all.forEach(column => this.judge(column)); }

  define(kind, name, from) {
    const column = {id: `v${this.all.length}`, kind, name, values: new Array(from).fill(null), raw: false};
    column.toString = () => column.id;
    this.all.push(column);
    this.index.set(`${kind}\0${name}`, column);
    return column;
  }

  decode({x, t, d, i}) {
    if (x) return x.map(v => typeof v === "string" ? Number(v) : v);
    return t || i.map(k => k < 0 ? null : d[k]);
  }

  // A param is text, yet 0.1 sorts and draws as a number where every run's value is one.
  judge(column) {
    const number = v => v === null ? null : typeof v === "number" ? v : v.trim() === "" ? NaN : Number(v);
    const text = !column.raw && (column.kind === "attributes" || column.kind === "tags"
      || column.values.some(v => v !== null && !Number.isFinite(number(v))));
    column.numbers = text ? null : column.raw ? column.values : column.values.map(number);
    const seen = new Set();
    for (const v of column.values) if (v !== null && seen.add(v).size > 60) break;
    column.distinct = seen.size;
    column.label = column.kind === "attributes" ? ({run_name: "run", start_time: "started (UTC)", duration: "took",
      user_id: "by", run_id: "id"}[column.name] || column.name) : column.name.trim() || JSON.stringify(column.name);
  }

  find(kind, name) { return this.index.get(`${kind}\0${name}`); }

  text(column, row) {
    const v = column.values[row];
    if (v === null) return "";
    if (typeof v !== "number") return v;
    if (column.kind !== "attributes") return gitml.number(v);
    return column.name === "start_time" ? gitml.moment(v) : gitml.duration(v);
  }

  // Missing values come last, whatever the direction; equal ones keep newest first.
  order(rows, column, down) {
    const keys = column.numbers || column.values, sign = down ? -1 : 1;
    const gone = v => v === null || v !== v;
    return rows.sort((a, b) => {
      const p = keys[a], q = keys[b];
      if (gone(p) || gone(q)) return gone(p) - gone(q) || a - b;
      return (p < q ? -sign : p > q ? sign : 0) || a - b;
    });
  }
};
