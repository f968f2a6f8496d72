/** Something wrong, or doubtful, at one place of a session text. A session with an error is refused; warnings do not stop it. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  /** 1 is the first. */
  readonly line: number;
  /** 1 is the first; counted in UTF-16 units. */
  readonly column: number;
  /** `services[0].command`; empty for the whole session. */
  readonly path: string;
  /** What was expected and what was found. Never a secret value. */
  readonly message: string;
  /** What was probably meant (`image_name`). */
  readonly suggestion?: string;
}

/** `3:7: error: services[0].comand: …` – one line for people. */
export function formatProblem(problem: Problem): string {
  const where = problem.path === '' ? '' : `${problem.path}: `;
  const meant = problem.suggestion === undefined ? '' : ` (did you mean \`${problem.suggestion}\`?)`;
  return `${problem.line}:${problem.column}: ${problem.severity}: ${where}${problem.message}${meant}`;
}
