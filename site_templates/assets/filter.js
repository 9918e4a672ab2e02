// The filter language of search_runs, read into a test of one row; the text is the only state.
//   metrics.rmse < 3 AND (params.model IN ('tree', 'forest') OR tags."my tag" LIKE 'v%')
// A param compared with a number without quotes is compared as a number.
"use strict";
gitml.filter = (() => {
  const KINDS = {__proto__: null, metric: "metrics", param: "params", parameter: "params", tag: "tags", attribute: "attributes",
    attr: "attributes", run: "attributes"};
  const ALIASES = {__proto__: null, created: "start_time", "run name": "run_name"};
  const TOKEN = /\s*(?:(<=|>=|!=|<>|[=<>(),])|('[^']*'|"[^"]*"|`[^`]*`)|((?:[^\s()=<>!,'"`])+(?:(?<=\.)(?:"[^"]*"|`[^`]*`))?))/y;

  class Trouble extends Error {}
  const named = token => token ? `“${token.text}”` : "the end";

  const tokens = text => {
    const found = [];
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.trimEnd().length) {
      const at = TOKEN.lastIndex, match = TOKEN.exec(text);
      if (!match) throw new Trouble(`Cannot read “${text.slice(at).trim().slice(0, 20)}”: is a quote missing?`);
      const [, sign, quoted, word] = match, start = TOKEN.lastIndex - (sign || quoted || word).length;
      const type = sign ? "sign" : quoted ? "text" : /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(word) ? "number" : "word";
      found.push({type, text: sign === "<>" ? "!=" : sign || quoted || word, start, end: TOKEN.lastIndex});
    }
    return found;
  };

  const identifier = token => {
    const dot = token.type === "text" ? -1 : token.text.indexOf("."), word = token.text.slice(0, dot).replace(/s$/, ""),
      kind = KINDS[word];
    if (dot > 0 && !kind) throw new Trouble(`“${token.text.slice(0, dot)}.” is not known: write metrics., params., tags. or attributes.`);
    let name = token.text.slice(dot + 1);
    if (/^["`]/.test(name)) name = name.slice(1, -1);
    if (kind && kind !== "attributes") return {kind, name};
    return {kind: "attributes", name: ALIASES[name.toLowerCase()] || name};
  };

  const like = (pattern, flags) => {
    const source = pattern.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&").replaceAll("%", "[^]*").replaceAll("_", "[^]");
    const test = new RegExp(`^${source}$`, `${flags}u`);
    return v => test.test(v);
  };

  const COMPARE = {"=": (v, w) => v === w, "!=": (v, w) => v !== w, "<": (v, w) => v < w, "<=": (v, w) => v <= w,
    ">": (v, w) => v > w, ">=": (v, w) => v >= w};

  // Reads a text; `columns` may be null, to look at its clauses only.
  const read = (text, columns) => {
    const list = tokens(text);
    let at = 0;
    const peek = () => list[at], is = word => peek() && peek().type !== "text" && peek().text.toUpperCase() === word;
    const take = word => is(word) && ++at;
    const need = (word, why) => { if (!take(word)) throw new Trouble(`Expected ${word} ${why}, found ${named(peek())}.`); };
    const value = types => {
      const token = list[at++];
      if (!token || !types.includes(token.type)) throw new Trouble(`Expected a ${types[1] ? "value" : types[0] === "text" ? "text in quotes" : "number"}, found ${named(token)}.`);
      return token.type === "number" ? Number(token.text) : token.text.slice(1, -1);
    };
    const unknown = new Set();

    const onColumn = (key, test, numeric) => {
      const column = columns && columns.find(key.kind, key.name);
      if (columns && !column) {
        if (key.kind === "attributes") throw new Trouble(`There is no attribute “${key.name}”: known are ${columns.all.filter(c => c.kind === "attributes").map(c => c.name).join(", ")}.`);
        unknown.add(`${key.kind}.${key.name}`);
        return () => false;
      }
      if (!column) return () => false;
      const values = numeric ? column.numbers || column.values.map(v => v === null ? NaN : Number(v)) : column.values;
      return row => { const v = values[row]; return v !== null && v === v && test(v); };
    };

    const comparison = () => {
      const first = list[at++];
      if (!first || first.type === "sign" || first.type === "number" || (first.type === "text" && first.text[0] === "'"))
        throw new Trouble(`Expected a name such as metrics.rmse, found ${named(first)}.`);
      const key = identifier(first), clause = {key, start: first.start};
      const close = (test, numeric) => ({...clause, end: list[at - 1].end, test: onColumn(key, test, numeric)});
      const column = columns && columns.find(key.kind, key.name), raw = key.kind === "metrics" || (column && column.raw);
      if (take("IS")) {
        const not = take("NOT");
        need("NULL", "after IS");
        const present = onColumn(key, () => true, false);
        return {...clause, end: list[at - 1].end, test: not ? present : row => !present(row)};
      }
      const not = take("NOT");
      if (take("IN")) {
        need("(", "after IN");
        const set = new Set();
        do set.add(value(["text", "number"])); while (take(","));
        need(")", "after the list");
        clause.among = not ? null : set;
        return close(v => set.has(v) !== Boolean(not), false);
      }
      for (const [word, flags] of [["LIKE", ""], ["ILIKE", "i"]]) if (take(word)) {
        const test = like(value(["text"]), flags);
        return close(v => test(String(v)) !== Boolean(not), false);
      }
      if (not) throw new Trouble("Expected IN, LIKE or ILIKE after NOT.");
      const operator = list[at++];
      if (!operator || !COMPARE[operator.text]) throw new Trouble(`Expected =, !=, <, >, LIKE, IN or IS after ${named(first)}, found ${named(operator)}.`);
      const numeric = raw || (peek() && peek().type === "number");
      if (numeric && peek() && peek().type === "text") throw new Trouble(`${key.kind}.${key.name} is a number: write the value without quotes.`);
      if (!numeric && peek() && peek().type === "word") throw new Trouble(`Put ${named(peek())} in quotes.`);
      const wanted = value(numeric ? ["number"] : ["text"]);
      if (!numeric && !["=", "!="].includes(operator.text)) throw new Trouble(`Compare texts with =, !=, LIKE or IN, and write numbers without quotes.`);
      if (numeric && operator.text[0] === ">") clause.low = wanted;
      if (numeric && operator.text[0] === "<") clause.high = wanted;
      return close(v => COMPARE[operator.text](v, wanted), numeric);
    };
    const single = () => {
      const start = peek() && peek().start;
      if (take("NOT")) { const inner = single(); return {start, end: inner.end, test: row => !inner.test(row)}; }
      if (!take("(")) return comparison();
      const inner = either();
      need(")", "to close the bracket");
      return {start, end: list[at - 1].end, test: inner.test};
    };
    const both = () => {
      const parts = [single()];
      while (take("AND")) if (peek()) parts.push(single());
      if (parts.length === 1) return {...parts[0], parts};
      return {start: parts[0].start, end: parts.at(-1).end, parts, test: row => parts.every(part => part.test(row))};
    };
    const either = () => {
      const parts = [both()];
      while (take("OR")) parts.push(both());
      if (parts.length === 1) return parts[0];
      return {start: parts[0].start, end: parts.at(-1).end, either: true, test: row => parts.some(part => part.test(row))};
    };
    if (!list.length) return {test: () => true, clauses: [], either: false, unknown};
    const tree = either();
    if (peek()) throw new Trouble(`Expected AND or OR, found ${named(peek())}.`);
    return {test: tree.test, clauses: tree.either ? [] : tree.parts, either: Boolean(tree.either), unknown};
  };

  const parse = (text, columns) => {
    try { return read(text, columns); }
    catch (error) {
      if (!(error instanceof Trouble)) throw error;
      return {error: error.message, test: () => true, clauses: [], unknown: new Set()};
    }
  };

  return {parse};
})();
