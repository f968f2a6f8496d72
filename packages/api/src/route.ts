import * as v from 'valibot';
import type { PublicCode } from './codes.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface RouteBody {
  /** Content types that it may have; the first is what our client sends. */
  readonly types: readonly string[];
  /** Of text (YAML) or of the parsed value (`application/json`). */
  readonly schema: v.GenericSchema;
  /** Bytes. */
  readonly limit: number;
  /** Whether it may come without a content type, as older clients send it. */
  readonly typeOptional?: boolean;
  readonly optional?: boolean;
}

export interface RouteAnswer {
  readonly meaning: string;
  readonly schema: v.GenericSchema;
  /** Whether `ETag` has the hash of the version. */
  readonly etag?: boolean;
}

/**
 * What the client's certificate has to do with it: nothing; the session's access policy decides, which may let
 * anonymous clients in; or there must be one.
 */
export type Access = 'anybody' | 'policy' | 'identified';

/** One route of the client API: the server, the client and the OpenAPI document are made of it. */
export interface Route {
  readonly method: Method;
  /** `{name}` takes slashes too, so what is about a session begins with a prefix of its own. */
  readonly path: `/${string}`;
  readonly summary: string;
  readonly description?: string;
  /** Who may, in words. */
  readonly who: string;
  readonly access: Access;
  /** Schemas of the path's parts, percent-decoded. */
  readonly parameters?: v.ObjectEntries;
  /** Schemas of the query; each part at most once, others are refused. */
  readonly query?: v.ObjectEntries;
  /** Schemas of request headers by lower-case name. */
  readonly headers?: v.ObjectEntries;
  readonly body?: RouteBody;
  readonly answers: { readonly [status: number]: RouteAnswer };
  /** Besides those that any route may answer. */
  readonly errors: readonly PublicCode[];
  readonly deprecated?: boolean;
  /** Answered before a client has proved what it runs, at a CAS that asks for that. */
  readonly beforeAttestation?: boolean;
}

/** The errors of a route's own, besides those that any may answer. */
export function ownErrors(row: Route): readonly PublicCode[] {
  return [
    ...new Set([...(row.access === 'identified' ? (['CAS_IDENTITY_REQUIRED'] as const) : []), ...row.errors]),
  ];
}

type Nothing = Readonly<Record<string, never>>;
type Out<R, Key extends string> = R extends { readonly [K in Key]: infer E extends v.ObjectEntries }
  ? v.InferOutput<v.StrictObjectSchema<E, undefined>>
  : Nothing;

/** What a handler is given of a request, read by the schemas of the row. */
export interface Asked<R extends Route> {
  readonly parameters: Out<R, 'parameters'>;
  readonly query: Out<R, 'query'>;
  readonly headers: Out<R, 'headers'>;
  readonly body: R extends { readonly body: { readonly schema: infer S extends v.GenericSchema } }
    ? v.InferOutput<S>
    : undefined;
}

/** A part is optional where the row has none, or none that is needed. */
type Part<R, Key extends string> = R extends { readonly [K in Key]: infer E extends v.ObjectEntries }
  ? Optional<Key, v.InferInput<v.StrictObjectSchema<E, undefined>>>
  : { readonly [K in Key]?: undefined };
type Optional<Key extends string, Value> =
  Partial<Value> extends Value ? { readonly [K in Key]?: Value } : { readonly [K in Key]: Value };

/** What a client gives of a request. */
export type Asking<R extends Route> = Part<R, 'parameters'> &
  Part<R, 'query'> &
  Part<R, 'headers'> &
  (R extends { readonly body: { readonly schema: infer S extends v.GenericSchema } }
    ? { readonly body: v.InferInput<S> }
    : { readonly body?: undefined });

type Status<R extends Route> = Extract<keyof R['answers'], number>;

/** What a handler answers with. */
export type Answered<R extends Route> = {
  readonly [S in Status<R>]: {
    readonly status: S;
    readonly body: v.InferOutput<R['answers'][S]['schema']>;
    /** Hash of the version that the answer is about. */
    readonly etag?: string;
  };
}[Status<R>];

/** The body of a good answer. */
export type AnswerOf<R extends Route> = v.InferOutput<R['answers'][Status<R>]['schema']>;

/** Keeps the exact type of a row. */
export function route<const R extends Route>(row: R): R {
  return row;
}
