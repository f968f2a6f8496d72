import { readFileSync } from 'node:fs';
import { RuntimeError } from './errors.ts';
import { resolveInRoot } from './in-root.ts';

/** Whom the application runs as. */
export interface ApplicationUser {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

const maxId = 0xffff_fffe;
const maxFileSize = 4 * 1024 * 1024;

function lines(root: string, path: string): string[][] {
  let text: string;
  try {
    const bytes = readFileSync(resolveInRoot(root, path));
    if (bytes.length > maxFileSize) return [];
    text = bytes.toString('latin1');
  } catch {
    // An image without the file has no names; that is for the caller to refuse where one was asked for.
    return [];
  }
  return text.split('\n').map((line) => line.split(':'));
}

function id(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= maxId ? value : undefined;
}

/**
 * Reads `user[:group]` of an OCI image configuration, names looked up in the image's own /etc/passwd and /etc/group.
 * As engines do: without a group the user's primary group, or 0, and the groups that list the user.
 */
export function resolveUser(root: string, text: string): ApplicationUser {
  const [userText = '', groupText] = text.split(':', 2);
  const passwd = lines(root, '/etc/passwd');
  const group = lines(root, '/etc/group');
  const wanted = userText === '' ? '0' : userText;
  const entry =
    passwd.find((fields) => fields[0] === wanted) ?? passwd.find((fields) => fields[2] === wanted);
  const uid = id(entry?.[2]) ?? id(wanted);
  if (uid === undefined) {
    throw new RuntimeError(
      'CONFIGURATION',
      `user: a user of the image expected, ${JSON.stringify(userText)} is not in its /etc/passwd`,
    );
  }
  let gid = id(entry?.[3]) ?? 0;
  let groups: number[] = [];
  if (groupText !== undefined && groupText !== '') {
    const found = group.find((fields) => fields[0] === groupText);
    const explicit = id(found?.[2]) ?? id(groupText);
    if (explicit === undefined) {
      throw new RuntimeError(
        'CONFIGURATION',
        `user: a group of the image expected, ${JSON.stringify(groupText)} is not in its /etc/group`,
      );
    }
    gid = explicit;
  } else if (entry?.[0] !== undefined) {
    const name = entry[0];
    groups = group
      .filter((fields) => fields[3]?.split(',').includes(name))
      .flatMap((fields) => id(fields[2]) ?? []);
  }
  return { uid, gid, groups, home: entry?.[5] || '/' };
}
