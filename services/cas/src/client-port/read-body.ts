import { fromUtf8 } from '@ensconce/base/bytes';
import { parseJson } from '@ensconce/base/json';
import type { RouteBody } from '@ensconce/api/route';
import { CasError } from '../errors.ts';
import type { Upload } from './uploads.ts';

/** The body of a request as its row wants it, before its schema: text, or parsed JSON. Everything in it is a stranger's. */
export async function readBody(
  request: Request,
  row: RouteBody | undefined,
  upload: Upload,
): Promise<unknown> {
  if (row === undefined) {
    await refuseBody(request);
    return undefined;
  }
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (type === undefined ? row.typeOptional !== true : !row.types.includes(type)) {
    throw new CasError(
      'CAS_MEDIA_TYPE',
      `request: content type ${row.types.join(' or ')} expected, ${type?.slice(0, 100) ?? 'none'} found`,
    );
  }
  const bytes = await bytesOf(request, row.limit, upload);
  try {
    return row.types[0] === 'application/json' ? parseJson(bytes, 'body', row.limit) : fromUtf8(bytes);
  } catch (cause) {
    const form = row.types[0] === 'application/json' ? 'JSON' : 'UTF-8';
    throw new CasError('CAS_REQUEST_INVALID', `request: a body in ${form} expected, something else found`, {
      cause,
    });
  }
}

async function refuseBody(request: Request): Promise<void> {
  if (request.body === null) return;
  for await (const chunk of request.body) {
    if (chunk.length > 0) throw new CasError('CAS_REQUEST_INVALID', 'request: no body expected, one found');
  }
}

async function bytesOf(request: Request, limit: number, upload: Upload): Promise<Uint8Array> {
  const tooLarge = (): CasError =>
    new CasError('CAS_REQUEST_TOO_LARGE', `request: a body of at most ${limit} bytes expected`);
  if (Number(request.headers.get('content-length')) > limit) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    upload.add(chunk.length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
