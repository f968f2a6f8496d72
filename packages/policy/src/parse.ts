import { fromUtf8 } from '@ensconce/base/bytes';
import type { Check } from './checks/check.ts';
import { Report } from './checks/check.ts';
import { knownNames, reachableSessions, resolveReferences, uniqueNames } from './checks/names.ts';
import { knownReferences, relatedSecrets } from './checks/secrets.ts';
import { exclusiveKeys, hostInfluence, statedTrust } from './checks/trust.ts';
import { PolicyError } from './errors.ts';
import { Findings, Place } from './form/place.ts';
import { invalid } from './form/form.ts';
import { compact, freeze } from './freeze.ts';
import { session as sessionLanguage } from './language/session.ts';
import { formatProblem, type Problem } from './problem.ts';
import { replaceVariables, type Variables } from './template.ts';
import type { Session } from './session.ts';
import { limits } from './yaml/limits.ts';
import { readYaml } from './yaml/read.ts';

export type { Problem } from './problem.ts';

/** The longest text that is looked at. */
export const maxSessionBytes = limits.textBytes;

export interface ParseOptions {
  /** Values for `$NAME` and `${NAME}`. Without this the text is taken as it stands, as CAS does. */
  readonly variables?: Variables | undefined;
}

export interface Parsed {
  /** `undefined` exactly where a problem is an error. */
  readonly session: Session | undefined;
  /** Everything found, in the order of the text. */
  readonly problems: readonly Problem[];
}

const checks: readonly Check[] = [
  uniqueNames,
  exclusiveKeys,
  knownNames,
  reachableSessions,
  knownReferences,
  relatedSecrets,
  statedTrust,
  hostInfluence,
];

/** Reads an untrusted session text and reports everything that is wrong with it at once. Never throws on any text. */
export function parseSession(text: string | Uint8Array, options: ParseOptions = {}): Parsed {
  const content = sessionText(text);
  if (typeof content !== 'string') return { session: undefined, problems: [content] };
  const findings = new Findings(content);
  const place = new Place(findings, '');
  const { variables } = options;
  const root = readYaml(
    content,
    (offset, message) => place.error(offset, message),
    variables && ((value, offset) => replaceVariables(value, variables, offset, place)),
  );
  const read = root ? sessionLanguage.read(root, place) : invalid;
  if (read !== invalid && root) {
    if (!root || (root.type === 'map' && !root.entries.some(({ key }) => key === 'version'))) {
      place.warning(root.offset, 'without `version` the session language 0.1 is assumed');
    }
    const report = new Report(findings);
    for (const check of checks) check(read, report);
  }
  if (read === invalid || findings.hasErrors) return { session: undefined, problems: findings.problems };
  return { session: freeze(compact(resolveReferences(read))), problems: findings.problems };
}

/** As {@link parseSession}; throws `POLICY_INVALID` with all problems where one is an error. */
export function parseSessionOrThrow(text: string | Uint8Array, options: ParseOptions = {}): Session {
  const { session, problems } = parseSession(text, options);
  if (session) return session;
  const errors = problems.filter(({ severity }) => severity === 'error');
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  throw new PolicyError('POLICY_INVALID', `session: ${formatProblem(errors[0] as Problem)}${more}`, {
    problems,
  });
}

/** The text, or what is wrong with it before any of it is looked at. */
function sessionText(text: string | Uint8Array): string | Problem {
  const whole = { severity: 'error', line: 1, column: 1, path: '' } as const;
  const size = text.length;
  if (size > limits.textBytes) {
    return { ...whole, message: `at most ${limits.textBytes} bytes expected, ${size} found` };
  }
  if (typeof text === 'string') return text;
  try {
    return fromUtf8(text);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { ...whole, message: `UTF-8 text expected, ${size} bytes of something else found` };
  }
}
