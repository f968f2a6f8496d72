/** What stops the set-up: one line that says what was expected and found, and a hint. */
export class SetupProblem extends Error {
  constructor(message, hint, details = '') {
    super(message);
    this.name = 'SetupProblem';
    this.hint = hint;
    this.details = details;
  }
}

/** The last lines of a program's output, indented: enough to see why it failed. */
export function tail(output, lines = 15) {
  return output
    .trimEnd()
    .split('\n')
    .slice(-lines)
    .map((line) => `  | ${line}`)
    .join('\n');
}
