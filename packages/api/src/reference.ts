import type * as v from 'valibot';
import { everywhere, publicForms, type PublicCode } from './codes.ts';
import { ownErrors, type Route } from './route.ts';
import { routes } from './routes.ts';

/** The table of routes as a page for people (docs/reference/api.md). Lists, not tables: their form does not hang on widths. */
export function apiReference(): string {
  const codes = Object.entries(publicForms).map(
    ([code, { status, retry, meaning }]) => `- \`${code}\`: ${status}${retry ? ', retry' : ''}: ${meaning}`,
  );
  return [
    '# Reference of the client API',
    '',
    '[Protocol](../protocol/client-api.md), [OpenAPI](openapi.json). Made by `tools/generate-api-reference.ts` from `packages/api/src/routes.ts`.',
    '',
    ...Object.entries<Route>(routes).flatMap(([id, row]) => section(id, row)),
    '## Errors',
    '',
    `Any route may answer ${list(everywhere)}.`,
    '',
    ...codes,
    '',
  ].join('\n');
}

function section(id: string, row: Route): string[] {
  const answers = Object.entries(row.answers).map(
    ([status, { meaning, etag }]) => `${status} (${meaning}${etag === true ? ', with `ETag`' : ''})`,
  );
  return [
    `## ${row.method} ${row.path}`,
    '',
    `${row.summary}.${row.description === undefined ? '' : ` ${row.description}`}`,
    '',
    `- operation: \`${id}\`${row.deprecated === true ? ', deprecated' : ''}`,
    `- who may: ${row.who}`,
    ...named('query', row.query),
    ...named('headers', row.headers),
    ...(row.body === undefined
      ? []
      : [`- body: ${row.body.types.map(code).join(', ')}; at most ${row.body.limit} bytes`]),
    `- answers: ${answers.join(', ')}`,
    ...(ownErrors(row).length === 0 ? [] : [`- errors: ${list(ownErrors(row))}`]),
    '',
  ];
}

function named(what: string, entries: v.ObjectEntries | undefined): string[] {
  if (entries === undefined) return [];
  const names = Object.entries(entries).map(
    ([name, schema]) => `${code(name)}${schema.type === 'optional' ? '' : ' (needed)'}`,
  );
  return [`- ${what}: ${names.join(', ')}`];
}

const code = (text: string): string => `\`${text}\``;
const list = (codes: readonly PublicCode[]): string => codes.map(code).join(', ');
