/** What an error carries besides its code and message. */
export interface ErrorDetails {
  /** The error or value that led to this one. */
  readonly cause?: unknown;
  /** What the reader can do about it, one line, shown by the CLI after `hint:`. */
  readonly hint?: string | undefined;
}

/**
 * The base of every error that Ensconce itself reports. Packages subclass it with a closed union of codes;
 * codes are append-only and appear in wire protocols, so they are never renamed or reused.
 *
 * Messages say what was expected and what was found (`quote: version 4 or 5 expected, 3 found`) and never
 * contain a secret. `TypeError` and `RangeError` stay for the caller's own mistakes.
 */
export class EnsconceError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly hint: string | undefined;

  constructor(code: Code, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = details.hint;
  }
}

/** An `AggregateError`, as of a connection tried at several addresses, often has no message of its own. */
function messageOf(error: Error): string {
  if (error.message !== '' || !(error instanceof AggregateError)) return error.message || error.name;
  const messages = error.errors.map((one: unknown) => (one instanceof Error ? one.message : String(one)));
  return [...new Set(messages)].join('; ');
}

/** The messages of an error and its causes, outermost first: the form in which CAS answers (`{"msg": […]}`). */
export function causeChain(error: unknown): string[] {
  const chain: string[] = [];
  const seen = new Set<unknown>();
  let current = error;
  while (current !== undefined && current !== null && !seen.has(current)) {
    seen.add(current);
    if (!(current instanceof Error)) {
      chain.push(typeof current === 'string' ? current : 'a value that is no error was thrown');
      break;
    }
    chain.push(messageOf(current));
    current = current.cause;
  }
  return chain;
}

/** The first hint found from the outermost error inwards. */
export function hintOf(error: unknown): string | undefined {
  const seen = new Set<unknown>();
  let current = error;
  while (current instanceof Error && !seen.has(current)) {
    seen.add(current);
    if (current instanceof EnsconceError && current.hint !== undefined) return current.hint;
    current = current.cause;
  }
  return undefined;
}
