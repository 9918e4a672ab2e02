// The filter language of search_runs, read into a test of one row; the text is the only state. The grammar
// and its messages are those of gitml/query/filter_parser.py.
//   metrics.rmse < 3 AND (params.model IN ('tree', 'forest') OR tags."my tag" LIKE 'v%')
"use strict";
// A text as a number, NaN where it is none: what Python's float() takes, without its rarer spellings.
gitml.numeral = text => {
  const found = /^\s*([-+]?)(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|(inf(?:inity)?))\s*$/i.exec(text ?? "");
  return !found ? NaN : found[2] ? (found[1] === "-" ? -Infinity : Infinity) : Number(text);
};
// A column's values as numbers where most of the different ones are; those that are not are `odd`, and NaN among the numbers.
gitml.judged = (values, raw) => {
  const read = new Map(), number = v => v === null ? v : read.get(v) ?? (read.set(v, gitml.numeral(v)), read.get(v));
  const numbers = raw ? values : values.map(number), odd = [...new Set(values.filter((v, row) => v !== null && !Number.isFinite(numbers[row])))].map(String).sort();
  return raw || odd.length * 2 < read.size ? {numbers, odd} : {numbers: null, odd: []};
};
gitml.filter = (() => {
  const FIELDS = ["metrics", "params", "tags", "datasets"], KINDS = {__proto__: null, parameters: "params", parameter: "params"};
  for (const kind of FIELDS) KINDS[kind] = KINDS[kind.slice(0, -1)] = kind;
  const OWN = ["attributes", "attribute", "attr", "run"], NUMERIC = ["start_time", "end_time", "duration"], INPUTS = ["name", "digest", "context"];
  const ATTRIBUTES = "run_id run_name status start_time end_time artifact_uri user_id experiment_id duration source commit dirty".split(" ");
  const ALIASES = {__proto__: null, created: "start_time", Created: "start_time", "run name": "run_name", "Run name": "run_name", "Run Name": "run_name"};
  const WORD = /[^\s`'"()=!<>,;]+/y, ENTITY = /[^\s`'"()=!<>,;.]+/y, KEY = /`([^`]+)`|"([^"]+)"/y, TEXT = /'((?:[^']|'')*)'|"((?:[^"]|"")*)"/y, FIRST = /\(?\s*([^\s`'"()=!<>,;]+)/y, SYMBOL = /<>|[=!<>]=?/y, SPACE = /\s*/y;
  const HINTS = {"==": "Write = for equality.", "&&": "Write AND.", "||": "Write OR.", ";": "A filter is one expression without a semicolon."};
  const COMPARE = {__proto__: null, "=": (v, w) => v === w, "!=": (v, w) => v !== w, "<": (v, w) => v < w, "<=": (v, w) => v <= w, ">": (v, w) => v > w, ">=": (v, w) => v >= w};
  const [DEPTH, CONDITIONS, VALUES] = [50, 500, 10000];

  class Trouble extends Error {
    constructor(message, at) { super(message); this.at = at; }
  }
  const start = (text, count) => [...text].slice(0, count).join("");
  const repr = text => {
    const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
    return quote + text.replace(/[\\\t\r\x00-\x1f\x7f]/g, c => ({"\\": "\\\\", "\t": "\\t", "\r": "\\r"}[c] || `\\x${c.charCodeAt().toString(16).padStart(2, "0")}`)).replaceAll(quote, `\\${quote}`) + quote;
  };

  // Each part between two % is taken where it is first found, so that no pattern takes long.
  const like = (pattern, flags) => {
    const parts = pattern.split("%").map(part => part.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&").replaceAll("_", "[^]"));
    if (parts.length === 1) { const test = new RegExp(`^(?:${parts[0]})$`, `${flags}u`); return v => test.test(v); }
    const first = new RegExp(parts[0], `${flags}uy`), last = new RegExp(`(?:${parts.pop()})$`, `${flags}u`), middle = parts.slice(1).filter(Boolean).map(part => new RegExp(part, `${flags}gu`));
    return v => {
      first.lastIndex = 0;
      if (!first.test(v)) return false;
      let from = first.lastIndex;
      for (const part of middle) {
        part.lastIndex = from;
        if (!part.test(v)) return false;
        from = part.lastIndex;
      }
      return last.test(v.slice(from));
    };
  };

  // Reads a text; `columns` may be null, to look at its clauses only.
  const read = (text, columns) => {
    let at = 0, depth = 0, conditions = 0, values = 0;
    const unknown = new Set();
    const peek = pattern => { pattern.lastIndex = at; return pattern.exec(text); };
    const space = () => { SPACE.lastIndex = at; SPACE.exec(text); at = SPACE.lastIndex; };
    const step = found => { if (found) at += found[0].length; return found; };
    const skip = pattern => { const found = step(peek(pattern)); if (found) space(); return found; };
    const sign = what => { if (!text.startsWith(what, at)) return false; at += what.length; space(); return true; };
    const keyword = (...words) => {
      const word = peek(WORD)?.[0].toUpperCase();
      return words.includes(word) ? (skip(WORD), word) : null;
    };
    const place = from => [...text.slice(0, from)].length + 1;
    const wrong = (expected, from = at, hint) => {
      const rest = start(text.slice(from), 25).split("\n")[0].trimEnd(), told = hint ?? HINTS[Object.keys(HINTS).find(key => rest.startsWith(key))];
      return new Trouble(`Invalid filter at character ${place(from)}: expected ${expected}, ${rest ? `found ${repr(rest)}` : "but it ends there"}.${told ? ` ${told}` : ""}`, from);
    };
    const limit = (count, most, what) => {
      if (count > most) throw new Trouble(`The filter has more than ${most} ${what} (at character ${place(at)}). Split it into several searches.`, at);
    };

    // ---- fields
    const unnamed = (name, from, hint) => new Trouble(`Unknown field ${repr(start(name, 40) === name ? name : `${start(name, 39)}…`)} at character ${place(from)}. ${hint}`, from);
    const close = (name, names) => names.filter(item => name[2] && item.startsWith(start(name, 3).toLowerCase()));
    const keyed = (kinds, name) => {
      const quote = /^[^\s`'"()=!<>,;]+$/.test(name) ? "" : "`";
      return kinds.map(kind => `${kind}.${quote}${start(name, 40)}${quote}`);
    };
    const mean = names => `Did you mean ${names.slice(0, -1).join(", ")}${names[1] ? " or " : ""}${names.at(-1)}?`;
    const piece = bare => { const quoted = step(peek(KEY)), found = quoted || step(peek(bare)); return found && (quoted ? found[1] || found[2] : found[0]); };
    const attribute = (name, from) => {
      const known = ATTRIBUTES.includes(name) ? name : ALIASES[name];
      if (!known) {
        const alike = close(name, ATTRIBUTES);
        throw unnamed(name, from, mean(alike[0] ? alike : keyed(FIELDS.slice(0, 3), name)));
      }
      return {kind: "attributes", name: known, numeric: NUMERIC.includes(known)};
    };
    const field = () => {
      const from = at, entity = piece(ENTITY);
      if (entity === null) throw wrong("a field such as metrics.rmse, params.alpha or tags.team");
      if (text[at] !== ".") {
        if (KINDS[entity]) throw wrong(`a dot and a key after ${entity}`);
        space();
        return attribute(entity, from);
      }
      const behind = ++at, name = piece(WORD);
      if (name === null) throw wrong(`a key after ${entity}. (in backticks if it has spaces)`);
      space();
      if (OWN.includes(entity)) return attribute(name, behind);
      const kind = KINDS[entity];
      if (!kind) {
        const alike = keyed(close(entity, [...FIELDS, "attributes"]), name);
        throw unnamed(`${entity}.${name}`, from, alike[0] ? mean(alike) : "Fields start with metrics., params., tags., datasets. or attributes.");
      }
      if (kind === "datasets" && !INPUTS.includes(name)) throw wrong(`one of ${INPUTS.join(", ")} after datasets.`, behind);
      return {kind, name, numeric: kind === "metrics"};
    };

    // ---- tests
    const some = key => `=, !=, ${key.numeric ? ">, >=, <, <=, BETWEEN" : "LIKE, ILIKE"}, IN or IS NULL`;
    const operator = key => {
      const from = at, symbol = skip(SYMBOL)?.[0];
      if (symbol === "<>") return "!=";
      if (COMPARE[symbol]) return symbol;
      if (!symbol && keyword("IS")) {
        const not = keyword("NOT");
        if (!keyword("NULL")) throw wrong(not ? "NULL" : "NULL or NOT NULL");
        return not ? "IS NOT NULL" : "IS NULL";
      }
      if (!symbol) {
        const not = keyword("NOT"), word = keyword("LIKE", "ILIKE", "IN", "BETWEEN");
        if (word) return not ? `NOT ${word}` : word;
      }
      throw wrong(`a comparison such as ${some(key)}`, from);
    };
    const said = key => `${key.kind}.${key.name}`;
    const value = key => {
      limit(++values, VALUES, "values");
      const from = at;
      if (key.numeric) {
        const found = gitml.numeral(skip(WORD)?.[0]);
        if (found !== found) throw wrong(`a number without quotes, because ${said(key)} is a number`, from);
        return found;
      }
      const found = skip(TEXT), word = !found && peek(WORD)?.[0];
      if (!found) throw wrong(`a string in quotes, because ${said(key)} is a string`, from, word ? `Write '${start(word, 40)}' with the quotes.` : undefined);
      return found[1] === undefined ? found[2].replaceAll('""', '"') : found[1].replaceAll("''", "'");
    };

    const onColumn = (key, test, present) => {
      const column = columns && columns.find(key.kind, key.name);
      if (columns && !column) unknown.add(said(key));
      if (!column) return () => false;
      const all = key.numeric && !present ? column.numbers || column.values.map(v => v === null ? NaN : gitml.numeral(v)) : column.values;
      if (key.kind === "datasets") return row => Boolean(all[row]?.some(v => present || test(v)));  // a run has any number of them
      return present ? row => all[row] !== null : row => { const v = all[row]; return v !== null && v === v && test(v); };
    };
    const comparison = () => {
      limit(++conditions, CONDITIONS, "conditions");
      const start = at, key = field(), from = at, word = operator(key), not = word.startsWith("NOT "), name = not ? word.slice(4) : word, clause = {key, start};
      const close = (test, present) => ({...clause, end: text.slice(0, at).trimEnd().length, test: onColumn(key, not ? v => !test(v) : test, present)});
      if (key.kind === "params" && !name.endsWith("LIKE") && !isNaN(gitml.numeral(peek(FIRST)?.[1]))) key.numeric = true;
      if (name.startsWith("IS")) {
        const {test, ...rest} = close(null, true);
        return {...rest, test: name === "IS NULL" ? row => !test(row) : test};
      }
      const ordered = "<>".includes(name[0]) || name === "BETWEEN";
      if (key.numeric ? name.endsWith("LIKE") : ordered) throw wrong(`${some(key)}, because ${said(key)} is a ${key.numeric ? "number" : "string"}`, from, ordered && key.kind === "params" ? "Compare it with a number without quotes." : undefined);
      if (name === "IN") {
        if (!sign("(")) throw wrong("a list in parentheses after IN");
        const set = new Set();
        do set.add(value(key)); while (sign(","));
        if (!sign(")")) throw wrong(", or )");
        clause.among = not ? null : set;
        return close(v => set.has(v));
      }
      const wanted = value(key);
      if (name.endsWith("LIKE")) return close(like(wanted, name === "ILIKE" ? "i" : ""));
      if (name === "BETWEEN") {
        if (!keyword("AND")) throw wrong("AND and the upper bound of BETWEEN");
        const high = value(key);
        if (!not) Object.assign(clause, {low: wanted, high});
        return close(v => v >= wanted && v <= high);
      }
      if (name[0] === ">") clause.low = wanted;
      if (name[0] === "<") clause.high = wanted;
      return close(v => COMPARE[name](v, wanted));
    };

    // ---- expressions
    const single = () => {
      const start = at, not = keyword("NOT");
      if (!not && !sign("(")) return comparison();
      limit(++depth, DEPTH, "levels of parentheses and NOT");
      const inner = not ? single() : either();
      if (!not && !sign(")")) throw wrong("AND, OR or )");
      depth--;
      const found = {start, end: text.slice(0, at).trimEnd().length, test: not ? row => !inner.test(row) : inner.test}, parts = !not && inner.either || [], key = parts[0]?.key;
      // (a BETWEEN 1 AND 2 OR a BETWEEN 5 AND 6) is two ranges of one column
      if (key && parts.every(part => part.high !== undefined && part.low !== undefined && said(part.key) === said(key))) Object.assign(found, {key, ranges: parts.map(part => [part.low, part.high])});
      return found;
    };
    const both = () => {
      const parts = [single()];
      while (keyword("AND") && at < text.length) parts.push(single());
      return {...parts[0], parts, ...(parts.length > 1 && {key: undefined, end: parts.at(-1).end, test: row => parts.every(part => part.test(row))})};
    };
    const either = () => {
      const parts = [both()];
      while (keyword("OR")) parts.push(both());
      return parts.length === 1 ? parts[0] : {start: parts[0].start, end: parts.at(-1).end, either: parts, test: row => parts.some(part => part.test(row))};
    };
    space();
    if (at >= text.length) return {test: () => true, clauses: [], either: false, unknown};
    const tree = either();
    if (at < text.length) throw wrong("AND, OR or the end");
    return {test: tree.test, clauses: tree.either ? [] : tree.parts, either: Boolean(tree.either), unknown};
  };

  const parse = (text, columns) => {
    try { return read(text, columns); }
    catch (error) {
      if (!(error instanceof Trouble)) throw error;
      return {error: error.message, at: error.at, test: () => true, clauses: [], unknown: new Set()};
    }
  };

  return {parse, ATTRIBUTES, KINDS, NUMERIC, INPUTS};
})();
