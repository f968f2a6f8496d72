import * as v from 'valibot';
import { signedDeletion, signedSessionLimit, type SignedDeletion } from '@ensconce/api/signed-session';
import { describeIssue } from '@ensconce/base/issue';
import { parseJson } from '@ensconce/base/json';
import { utf8 } from '@ensconce/base/bytes';
import { CliError } from '../errors.ts';
import { readSessionText } from '../state/session-file.ts';

/** Reads a file that `session sign-deletion` wrote, for the session of that name. */
export function loadSignedDeletion(file: string, name: string): SignedDeletion {
  const found = parseJson(utf8(readSessionText(file)), file, signedSessionLimit);
  const parsed = v.safeParse(signedDeletion, found);
  if (!parsed.success) {
    throw new CliError(
      'CLI_SESSION',
      `${file}: a signed deletion expected, ${describeIssue(parsed.issues[0])}`,
      { hint: 'ensconce session sign-deletion writes one' },
    );
  }
  if (parsed.output.name !== name) {
    throw new CliError(
      'CLI_SESSION',
      `${file}: the deletion of session '${name}' expected, that of '${parsed.output.name}' found`,
    );
  }
  return parsed.output;
}
