/** The part of a schema library's issue that is told (valibot's `BaseIssue` has it). */
export interface SchemaIssue {
  readonly type: string;
  readonly message: string;
  readonly expected: string | null;
  readonly path?: readonly { readonly key?: unknown }[] | undefined;
}

const longest = 120;

/**
 * Where untrusted data broke its schema and what was expected there. What was found is left out: it may be long, and it
 * may be a secret.
 */
export function describeIssue(issue: SchemaIssue): string {
  const path = (issue.path ?? []).map(({ key }) => String(key)).join('.');
  const where = path === '' ? 'the whole' : JSON.stringify(path.slice(0, longest)).slice(1, -1);
  if (issue.type === 'strict_object' && issue.expected === 'never')
    return `${where}: no such member expected`;
  if (issue.type === 'strict_object' && issue.expected !== 'Object')
    return `${where}: a value expected, none found`;
  // The library's own messages say what was received; those of a schema's author do not.
  const own = !issue.message.startsWith('Invalid ');
  return `${where}: ${own ? issue.message : `${issue.expected ?? issue.type} expected`}`;
}
