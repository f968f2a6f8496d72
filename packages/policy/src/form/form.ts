import { isNull, nounOf, type YamlNode } from '../yaml/node.ts';
import type { JsonSchema } from './json-schema.ts';
import type { Place } from './place.ts';

/** What reading gives where the node is not usable; the problem is reported by then. */
export const invalid: unique symbol = Symbol('invalid');
export type Invalid = typeof invalid;

/**
 * One form of the language: how it is read, and the same as JSON Schema. Reading reports every problem it finds and
 * goes on, so that all of them come at once; it never throws on any input.
 */
export interface Form<T> {
  readonly schema: JsonSchema;
  readonly read: (node: YamlNode, place: Place) => T | Invalid;
}

export type Value<F> = F extends Form<infer T> ? T : never;

/** Turns what a form read into something else, with its node for further checks; may report problems itself. */
export function transform<T, U>(
  form: Form<T>,
  turn: (value: T, node: YamlNode, place: Place) => U | Invalid,
): Form<U> {
  return {
    schema: form.schema,
    read(node, place) {
      const value = form.read(node, place);
      if (value === invalid) return invalid;
      const turned = turn(value, node, place);
      if (typeof turned === 'object' && turned !== null) place.findings.keepOrigin(turned, node, place);
      return turned;
    },
  };
}

/** Chooses by the node's shape, so that problems are those of the form that was meant. */
export function byShape<S = never, L = never, M = never>(
  forms: { readonly scalar?: Form<S>; readonly list?: Form<L>; readonly map?: Form<M> },
  expected: string,
): Form<S | L | M> {
  return {
    schema: { anyOf: Object.values(forms).map((form) => form.schema) },
    read(node, place) {
      const form = forms[node.type];
      if (form && !isNull(node)) return form.read(node, place);
      place.error(node.offset, `${expected} expected, ${nounOf(node)} found`);
      return invalid;
    },
  };
}

/** Replaces the schema where JSON Schema can say less, or more, than the parts. */
export function described<T>(form: Form<T>, schema: JsonSchema): Form<T> {
  return { schema: { ...form.schema, ...schema }, read: form.read };
}
