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
 * The session text with its variables put in, as it is sent to CAS: values that hold a variable become quoted strings,
 * everything else, comments included, stays byte for byte.
 */
export function templateSession(
  text: string,
  variables: Variables,
): { readonly text: string | undefined; readonly problems: readonly Problem[] } {
  const findings = new Findings(text);
  const place = new Place(findings, '');
  const parts: string[] = [];
  let copied = 0;
  const root = readYaml(
    text,
    (offset, message) => place.error(offset, message),
    (value, offset, end) => {
      const replaced = replaceVariables(value, variables, offset, place);
      if (replaced !== value) {
        // A block scalar ends with its line, which the quoted string must too.
        const lineEnd = text.slice(offset, end).endsWith('\n') ? '\n' : '';
        parts.push(text.slice(copied, offset), quoted(replaced), lineEnd);
        copied = end;
      }
      return replaced;
    },
  );
  if (!root || findings.hasErrors) return { text: undefined, problems: findings.problems };
  return { text: parts.join('') + text.slice(copied), problems: findings.problems };
}

/** A double-quoted YAML scalar on one line (YAML 1.2, 7.3.1): JSON's form, with what YAML calls not printable escaped. */
function quoted(value: string): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
