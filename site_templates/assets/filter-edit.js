// Writing the filter language: names, texts, and one column's range within a filter.
"use strict";
Object.assign(gitml.filter, (() => {
  const {parse} = gitml.filter;
  const quote = text => `'${text.replaceAll("'", "''")}'`;
  const name = ({kind, name}) => {
    if (/^[\w.\/-]+$/.test(name)) return `${kind}.${name}`;
    return !name.includes("`") ? `${kind}.\`${name}\`` : !name.includes('"') ? `${kind}."${name}"` : null;
  };

  // Replaces what a text says of one column's range by `clause`; everything else stays as typed.
  const replace = (text, key, clause) => {
    const parsed = parse(text, null);
    if (parsed.error) return clause || "";
    const mine = part => part.key && part.key.kind === key.kind && part.key.name === key.name
      && (part.low !== undefined || part.high !== undefined || part.among || part.ranges);
    const kept = parsed.either ? [`(${text.trim()})`] : parsed.clauses.filter(part => !mine(part)).map(part => text.slice(part.start, part.end));
    if (clause) kept.push(clause);
    return parsed.either && !clause ? text : kept.join(" AND ");
  };

  return {replace, quote, name};
})());
