import { Composer, CST, isMap, isScalar, isSeq, Parser, type ParsedNode, type YAMLMap } from 'yaml';
import { Findings, Place } from './form/place.ts';
import type { Problem } from './problem.ts';
import { readYaml } from './yaml/read.ts';

export type Variables = ReadonlyMap<string, string> | Readonly<Record<string, string>>;

/**
 * `$NAME` and `${NAME}` in one value, once: what a variable brings in is not looked at again. `$$` is left as it is,
 * since it begins and ends the references that CAS replaces; `$` before anything else is a dollar sign.
 */
export function replaceVariables(text: string, variables: Variables, offset: number, place: Place): string {
  if (!text.includes('$')) return text;
  return text.replaceAll(
    /\$\$|\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})/g,
    (whole, bare: string | undefined, braced: string | undefined) => {
      const name = bare ?? braced;
      if (name === undefined) return whole;
      const value = valueOf(variables, name);
      if (value !== undefined) return value;
      const { line, column } = place.findings.position(offset);
      place.error(offset, `Value for variable $${name} is missing at line ${line} column ${column}`);
      return '';
    },
  );
}

function valueOf(variables: Variables, name: string): string | undefined {
  if (variables instanceof Map) return (variables as ReadonlyMap<string, string>).get(name);
  return Object.hasOwn(variables, name) ? (variables as Readonly<Record<string, string>>)[name] : undefined;
}

/**
 * The session text with its variables put in, as it is sent to CAS: scalars that hold a variable are rewritten and
 * quoted, everything else, comments included, stays byte for byte.
 */
export function templateSession(
  text: string,
  variables: Variables,
): { readonly text: string | undefined; readonly problems: readonly Problem[] } {
  const findings = new Findings(text);
  const place = new Place(findings, '');
  // Read first for the limits and the problems; what follows works on the same, now trusted, shape.
  const root = readYaml(
    text,
    (offset, message) => place.error(offset, message),
    (value, offset) => replaceVariables(value, variables, offset, place),
  );
  if (!root || findings.hasErrors) return { text: undefined, problems: findings.problems };
  const tokens = [...new Parser().parse(text)];
  const [document] = new Composer({ schema: 'failsafe', uniqueKeys: false, keepSourceTokens: true }).compose(
    tokens,
  );
  if (document?.contents) rewrite(document.contents, (value) => replaceVariables(value, variables, 0, place));
  return { text: tokens.map((token) => CST.stringify(token)).join(''), problems: findings.problems };
}

function rewrite(node: ParsedNode | null, replace: (text: string) => string): void {
  if (node === null) return;
  if (isSeq(node)) for (const item of node.items) rewrite(item, replace);
  else if (isMap(node))
    for (const pair of (node as YAMLMap<ParsedNode, ParsedNode | null>).items) rewrite(pair.value, replace);
  else if (isScalar(node) && typeof node.value === 'string' && node.srcToken && CST.isScalar(node.srcToken)) {
    const replaced = replace(node.value);
    if (replaced !== node.value) CST.setScalarValue(node.srcToken, replaced, { type: 'QUOTE_DOUBLE' });
  }
}
