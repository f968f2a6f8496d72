import type { JsonSchema } from './form/json-schema.ts';
import type { Json } from '@ensconce/base/json';
import { session } from './language/session.ts';

/**
 * The session language as JSON Schema (2020-12), for editors. It describes the text before templating is resolved and
 * cannot express the rules between keys: a session that it accepts may still be refused, one that it refuses always is.
 */
export function sessionSchema(): JsonSchema {
  const accessList = { type: 'array', minItems: 1, items: { $ref: '#/$defs/accessEntry' } };
  const accessEntry = {
    anyOf: [
      { type: 'string', minLength: 1 },
      {
        type: 'object',
        minProperties: 1,
        maxProperties: 1,
        additionalProperties: false,
        properties: {
          signer: { type: 'string', description: 'PEM public key, or a reference.' },
          'require-all': { $ref: '#/$defs/accessList' },
        },
        patternProperties: { '^require-at-least-[1-9][0-9]{0,5}$': { $ref: '#/$defs/accessList' } },
      },
    ],
  };
  const definitions: Record<string, JsonSchema> = { accessEntry, accessList };
  const root = shareTitled(session.schema, definitions);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...root,
    title: 'Session',
    description: 'A session (policy) of Ensconce: SCONE’s session language up to 0.3.12.',
    $defs: definitions,
  };
}

/** Moves every titled schema below `schema` to the definitions, so that each stands there once. */
function shareTitled(schema: JsonSchema, definitions: Record<string, JsonSchema>): JsonSchema {
  const share = (value: Json | undefined): Json | undefined => {
    if (Array.isArray(value)) return value.map((item: Json) => share(item) ?? null);
    if (typeof value !== 'object' || value === null) return value;
    const { title, description, ...shared } = shareTitled(value as JsonSchema, definitions);
    const described = { ...(description === undefined ? {} : { description }), ...shared };
    if (typeof title !== 'string') return described;
    const $ref = `#/$defs/${define({ title, ...shared }, title, definitions)}`;
    return description === undefined ? { $ref } : { description, $ref };
  };
  return Object.fromEntries(Object.entries(schema).map(([keyword, value]) => [keyword, share(value)]));
}

/** The name under which `schema` stands in the definitions; another schema of the same title gets a number. */
function define(schema: JsonSchema, title: string, definitions: Record<string, JsonSchema>): string {
  const words = title.replaceAll(/[^A-Za-z0-9]+/g, '-').replaceAll(/^an?-|-$/g, '');
  for (let number = 1; ; number++) {
    const name = number === 1 ? words : `${words}-${number}`;
    const existing = Object.hasOwn(definitions, name) ? definitions[name] : undefined;
    if (existing === undefined) definitions[name] = schema;
    if (existing === undefined || JSON.stringify(existing) === JSON.stringify(schema)) return name;
  }
}
