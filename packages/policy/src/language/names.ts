import { invalid, transform, type Form, type Invalid } from '../form/form.ts';
import { map, optional, required, strict } from '../form/collection.ts';
import { scalar, text } from '../form/scalar.ts';
import { byShape } from '../form/form.ts';
import type { SessionReference } from '../session.ts';
import type { YamlNode } from '../yaml/node.ts';
import type { Place } from '../form/place.ts';
import { PolicyError } from '../errors.ts';
import { references, wholeReference } from '../substitution.ts';

/** One component of a session's name. ASCII only, so that no two names look alike. `.` and `..` are not names. */
const component = '(?!\\.{1,2}(?:/|$))[A-Za-z0-9_.~-]{1,512}';
export const sessionNamePattern = new RegExp(`^(?:/|${component}(?:/${component}){0,31})$`);
/** Names become keys of objects; those that mean something to JavaScript are not names. */
export const servicePattern = /^(?!\.{1,2}$|(?:__proto__|prototype|constructor)$)[A-Za-z0-9_.~-]{1,512}$/;

export const sessionName = text({
  expected: 'a session name (components of 1 to 512 letters, digits, _ - . ~ with / between, or / alone)',
  pattern: sessionNamePattern,
  maxLength: 1536,
});
export const serviceName = text({
  expected: 'a name of 1 to 512 letters, digits, _ - . ~ (not constructor, prototype, __proto__)',
  pattern: servicePattern,
});
export const secretName = serviceName;
/** Images and volumes are named by their authors' habits, often after an image of a registry. */
export const freeName = text({
  expected: 'a name of 1 to 512 printable characters',
  pattern: /^[\x21-\x7e](?:[\x20-\x7e]{0,510}[\x21-\x7e])?$/,
});
/** Without empty and `.` components and a slash at its end, so that one place has one path. */
export const absolutePath: Form<string> = transform(
  text({
    expected: 'an absolute path without .. and control characters, at most 4096 characters',
    pattern: /^\/(?!(?:.*\/)?\.\.(?:\/|$))\P{Cc}*$/su,
    maxLength: 4096,
  }),
  (value) =>
    `/${value
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/')}`,
);

export function hex(bytes: number): Form<string> {
  return transform(
    text({ expected: `${bytes * 2} hexadecimal digits`, pattern: new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`) }),
    (value) => value.toLowerCase(),
  );
}

/** A hash or, where templating found none, `~` or an empty string: none. */
export function hexOrNone(bytes: number): Form<string | undefined> {
  const form = hex(bytes);
  return {
    schema: { anyOf: [form.schema, { enum: ['~', ''] }] },
    read: (node, place) =>
      node.type === 'scalar' && /^~?$/.test(node.text) ? undefined : form.read(node, place),
  };
}

/** Text that is wholly one `$$SCONE::…$$`, or else what `form` takes. References inside are checked for their form. */
export function orReference<T>(form: Form<T>): Form<T | string> {
  return {
    schema: { anyOf: [form.schema, { type: 'string', pattern: '^\\$\\$SCONE::[^$]+\\$\\$$' }] },
    read(node, place) {
      if (node.type === 'scalar' && node.text.startsWith('$$SCONE::')) return reference.read(node, place);
      return form.read(node, place);
    },
  };
}

export const reference: Form<string> = {
  schema: { type: 'string', pattern: '^\\$\\$SCONE::[^$]+\\$\\$$' },
  read(node, place) {
    const value = scalar(node, place, 'a reference $$SCONE::name$$');
    if (value === invalid) return invalid;
    const whole = attempt(node, place, () => wholeReference(value));
    if (whole === invalid) return invalid;
    if (whole) return value;
    place.error(node.offset, 'one reference $$SCONE::name$$ and nothing else expected, more found');
    return invalid;
  },
};

/** Text in which references may stand; each must be well formed. */
export function withReferences(form: Form<string>): Form<string> {
  return transform(form, (value, node, place) => {
    const found = attempt(node, place, () => references(value));
    return found === invalid ? invalid : value;
  });
}

/** RFC 6238 secret: base32 of at least 128 bits, or a reference. */
export const oneTimePasswordSecret = orReference<string>(
  text({
    expected: 'a base32 secret of at least 128 bits',
    pattern: /^[A-Za-z2-7](?:[ -]?[A-Za-z2-7]){25,511}=*$/,
  }),
);

/** Turns our own refusal into a problem at this node. */
export function attempt<T>(node: YamlNode, place: Place, action: () => T): T | Invalid {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    place.error(node.offset, error.message);
    return invalid;
  }
}

const referenceText = text({
  expected: 'a session (name, ../sibling, ./nested or cas.example.com/cas_key=…,session=…)',
  pattern: /^[\x21-\x7e]+$/,
  maxLength: 4096,
});

/** Relative names stay relative here; {@link absolute} resolves them once the session's own name is known. */
export function parseSessionReference(value: string): SessionReference | undefined {
  if (!value.includes('=')) {
    return relativePattern.test(value) ? { session: normalName(value) } : undefined;
  }
  const slash = value.indexOf('/');
  if (slash < 0) return undefined;
  const parts: Record<string, string> = {};
  for (const item of value.slice(slash + 1).split(',')) {
    const equals = item.indexOf('=');
    const key = item.slice(0, Math.max(0, equals));
    if (
      !['session', 'session_hash', 'cas_key', 'cas_software_key'].includes(key) ||
      Object.hasOwn(parts, key)
    ) {
      return undefined;
    }
    parts[key] = item.slice(equals + 1);
  }
  const casUrl = value.slice(0, slash);
  const { session, session_hash: sessionHash, cas_key: casKey, cas_software_key: casSoftwareKey } = parts;
  const remote = casUrl !== '';
  if (session === undefined || !relativePattern.test(session)) return undefined;
  if (sessionHash !== undefined && !/^[0-9a-fA-F]{64}$/.test(sessionHash)) return undefined;
  if (remote !== (casKey !== undefined || casSoftwareKey !== undefined)) return undefined;
  if (casKey !== undefined && casSoftwareKey !== undefined) return undefined;
  return {
    session: normalName(session),
    sessionHash: sessionHash?.toLowerCase(),
    ...(remote ? { casUrl, casKey, casSoftwareKey } : {}),
  };
}

const relativePattern = new RegExp(
  `^(?:/|/?${component}(?:/${component}){0,31}|(?:\\./|(?:\\.\\./){1,31})(?:${component}(?:/${component}){0,31})?)$`,
);

/** `/name` and `name` are the same session. */
function normalName(name: string): string {
  return name.length > 1 && name.startsWith('/') ? name.slice(1) : name;
}

/** `name` of a session as seen from the session `own`; `undefined` where `..` leads above the root. */
export function absolute(name: string, own: string): string | undefined {
  if (!name.startsWith('./') && !name.startsWith('../')) return name;
  const parts = own === '/' ? [] : own.split('/');
  let rest = name;
  if (rest.startsWith('./')) rest = rest.slice(2);
  else {
    for (; rest.startsWith('../'); rest = rest.slice(3)) if (parts.pop() === undefined) return undefined;
  }
  if (rest !== '') parts.push(...rest.split('/'));
  return parts.length === 0 ? '/' : parts.join('/');
}

/** A session in the short form. */
export const sessionReferenceText: Form<SessionReference> = transform(referenceText, (value, node, place) => {
  const parsed = parseSessionReference(value);
  if (parsed) return parsed;
  place.error(
    node.offset,
    'a session (name, ../sibling, ./nested, /session=…,session_hash=… or cas.example.com/cas_key=…,session=…) expected, something else found',
  );
  return invalid;
});

const remoteFields = {
  session_hash: strict(hex(32), 'The only version of that session that is accepted.'),
  cas_url: optional(
    text({ expected: 'the address of a CAS', pattern: /^[\x21-\x7e]+$/, maxLength: 1024 }),
    'Address of another CAS.',
  ),
  cas_key: strict(
    text({ expected: 'a key hash', pattern: /^[\x21-\x7e]+$/, maxLength: 128 }),
    'Key hash of that CAS.',
  ),
  cas_software_key: strict(
    text({ expected: 'a key hash', pattern: /^[\x21-\x7e]+$/, maxLength: 128 }),
    'Software key hash of that CAS.',
  ),
} as const;

/** The keys of a map that names another session, and how they are read together. */
export const sessionReferenceFields = {
  session: required(sessionReferenceText, 'The other session.'),
  ...remoteFields,
} as const;

interface ReferenceParts {
  readonly session: SessionReference;
  readonly session_hash?: string | undefined;
  readonly cas_url?: string | undefined;
  readonly cas_key?: string | undefined;
  readonly cas_software_key?: string | undefined;
}

export function combineReference(
  parts: ReferenceParts,
  node: YamlNode,
  place: Place,
): SessionReference | Invalid {
  const {
    session,
    session_hash: sessionHash,
    cas_url: casUrl,
    cas_key: casKey,
    cas_software_key: casSoftwareKey,
  } = parts;
  const twice =
    (session.sessionHash !== undefined && sessionHash !== undefined) ||
    (session.casUrl !== undefined &&
      (casUrl !== undefined || casKey !== undefined || casSoftwareKey !== undefined));
  if (twice) {
    place.error(
      node.offset,
      'each part of a session reference once expected, one found in `session` and beside it',
    );
    return invalid;
  }
  if (casKey !== undefined && casSoftwareKey !== undefined) {
    place.error(node.offset, 'cas_key or cas_software_key expected, both found');
    return invalid;
  }
  if ((casUrl !== undefined) !== (casKey !== undefined || casSoftwareKey !== undefined)) {
    place.error(node.offset, 'cas_url together with cas_key or cas_software_key expected, one alone found');
    return invalid;
  }
  return {
    session: session.session,
    sessionHash: session.sessionHash ?? sessionHash,
    casUrl: session.casUrl ?? casUrl,
    casKey: session.casKey ?? casKey,
    casSoftwareKey: session.casSoftwareKey ?? casSoftwareKey,
  };
}

/** A session as text or as a map. */
export const sessionReference: Form<SessionReference> = byShape(
  {
    scalar: sessionReferenceText,
    map: transform(map(sessionReferenceFields, 'a session reference'), combineReference),
  },
  'a session reference',
);
