import type { Json } from '@ensconce/base/json';

/** A JSON Schema (2020-12) as data. */
export type JsonSchema = { readonly [keyword: string]: Json | undefined };
