import * as v from 'valibot';
import { utf8 } from '@ensconce/base/bytes';
import { describeIssue } from '@ensconce/base/issue';
import type { CasConnection } from './connection.ts';
import { ApiError } from './errors.ts';
import { fillPath } from './path.ts';
import type { AnswerOf, Asking, Route } from './route.ts';

/** Sends what a row asks for and reads the answer with its schemas; an answer that is not 2xx becomes `RefusedByCas`. */
export async function call<R extends Route>(
  cas: CasConnection,
  route: R,
  asking: Asking<R>,
): Promise<AnswerOf<R>> {
  const { parameters, query, headers, body } = asking as Loose;
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) search.set(name, value);
  }
  const path = fillPath(route.path, parameters ?? {});
  const { status, value } = await cas.exchange({
    method: route.method,
    path: search.size === 0 ? path : `${path}?${search.toString()}`,
    headers: Object.fromEntries(
      Object.entries(headers ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    ...(route.body === undefined || body === undefined
      ? {}
      : { body: encodeBody(route.body.types[0], body) }),
  });
  const parsed = v.safeParse(route.answers[status]?.schema ?? v.never(), value);
  if (!parsed.success) {
    throw new ApiError(
      'API_ANSWER',
      `CAS: an answer of the documented form expected, ${describeIssue(parsed.issues[0])}`,
    );
  }
  return parsed.output;
}

interface Loose {
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  readonly query?: Readonly<Record<string, string | undefined>> | undefined;
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined;
  readonly body?: unknown;
}

function encodeBody(type: string | undefined, body: unknown): { type: string; content: Uint8Array } {
  if (type === 'application/json') return { type, content: utf8(JSON.stringify(body)) };
  if (type === undefined || typeof body !== 'string') throw new TypeError('a body of text expected');
  return { type, content: utf8(body) };
}
