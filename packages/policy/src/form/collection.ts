import { isNull, nounOf, type YamlNode } from '../yaml/node.ts';
import { invalid, type Form, type Invalid } from './form.ts';
import { suggest } from './suggestion.ts';
import type { JsonSchema } from './json-schema.ts';
import type { Place } from './place.ts';

/** A list; items that are not usable are reported and left out. */
export function list<T>(
  item: Form<T>,
  rule: { readonly min?: number; readonly of: string },
): Form<readonly T[]> {
  const { min = 0, of } = rule;
  return {
    schema: { type: 'array', items: item.schema, ...(min > 0 ? { minItems: min } : {}) },
    read(node, place) {
      if (node.type !== 'list' || node.tag !== undefined) {
        place.error(node.offset, `a list of ${of} expected, ${nounOf(node)} found`);
        return invalid;
      }
      if (node.items.length < min) {
        place.error(node.offset, `at least ${min} of ${of} expected, ${node.items.length} found`);
        return invalid;
      }
      return node.items.flatMap((child, index) => {
        const value = item.read(child, place.item(index));
        return value === invalid ? [] : [value];
      });
    },
  };
}

/** One value, or a list of them. */
export function oneOrList<T>(
  item: Form<T>,
  rule: { readonly min?: number; readonly of: string },
): Form<readonly T[]> {
  const many = list(item, rule);
  return {
    schema: { anyOf: [item.schema, many.schema] },
    read(node, place) {
      if (node.type === 'list') return many.read(node, place);
      const value = item.read(node, place);
      return value === invalid ? invalid : [value];
    },
  };
}

export interface Field<T, Required extends boolean = boolean> {
  readonly form: Form<T>;
  readonly required: Required;
  /** Whether `key:` without a value means the same as no key. Not where absence is the weaker choice. */
  readonly nullable: boolean;
  /** One sentence, for editors. */
  readonly about: string;
  /** Accepted with a warning that says this. */
  readonly deprecated?: string;
}

export function required<T>(form: Form<T>, about: string): Field<T, true> {
  return { form, required: true, nullable: false, about };
}
export function optional<T>(form: Form<T>, about: string, deprecated?: string): Field<T, false> {
  return {
    form,
    required: false,
    nullable: true,
    about,
    ...(deprecated === undefined ? {} : { deprecated }),
  };
}
/** Optional, but `key:` without a value is refused, because leaving it out is the weaker choice. */
export function strict<T>(form: Form<T>, about: string): Field<T, false> {
  return { form, required: false, nullable: false, about };
}

export type Fields = Readonly<Record<string, Field<unknown>>>;
export type FieldsValue<F extends Fields> = {
  readonly [K in keyof F as F[K] extends Field<unknown, true> ? K : never]: FieldValue<F[K]>;
} & {
  readonly [K in keyof F as F[K] extends Field<unknown, true> ? never : K]?: FieldValue<F[K]> | undefined;
};
type FieldValue<F> = F extends Field<infer T> ? T : never;

/** A map with a closed set of keys. Unknown keys are errors. */
export function map<const F extends Fields>(fields: F, what: string): Form<FieldsValue<F>> {
  const names = Object.keys(fields);
  return {
    schema: mapSchema(fields, what),
    read(node, place) {
      if (node.type !== 'map' || node.tag !== undefined) {
        place.error(node.offset, `${what} expected, ${nounOf(node)} found`);
        return invalid;
      }
      const read = readFields(fields, names, node, place, what);
      if (read === invalid) return invalid;
      place.findings.keepOrigin(read, node, place);
      return read as FieldsValue<F>;
    },
  };
}

function readFields(
  fields: Fields,
  names: readonly string[],
  node: YamlNode & { readonly type: 'map' },
  place: Place,
  what: string,
): Record<string, unknown> | Invalid {
  const result: Record<string, unknown> = {};
  let usable = true;
  for (const entry of node.entries) {
    const field = Object.hasOwn(fields, entry.key) ? fields[entry.key] : undefined;
    const at = place.key(entry.key);
    if (!field) {
      at.error(entry.keyOffset, `${what} has no key ${JSON.stringify(entry.key.slice(0, 60))}`, () =>
        suggest(entry.key, names),
      );
      continue;
    }
    if (field.nullable && isNull(entry.value)) continue;
    if (field.deprecated !== undefined) at.warning(entry.keyOffset, field.deprecated);
    const value = field.form.read(entry.value, at);
    if (value !== invalid) result[entry.key] = value;
    else if (field.required) usable = false;
  }
  for (const [name, field] of Object.entries(fields)) {
    if (!field.required || node.entries.some((entry) => entry.key === name)) continue;
    place.error(node.offset, `${what} with the key \`${name}\` expected, none found`);
    usable = false;
  }
  return usable ? result : invalid;
}

function mapSchema(fields: Fields, what: string): JsonSchema {
  const entries = Object.entries(fields);
  const properties = Object.fromEntries(
    entries.map(([name, field]) => [
      name,
      {
        description: field.about,
        ...(field.deprecated === undefined ? {} : { deprecated: true }),
        ...(field.nullable ? { anyOf: [field.form.schema, { type: 'null' }] } : field.form.schema),
      },
    ]),
  );
  const needed = entries.filter(([, field]) => field.required).map(([name]) => name);
  return {
    title: what,
    type: 'object',
    additionalProperties: false,
    properties,
    ...(needed.length > 0 ? { required: needed } : {}),
  };
}

/** A map whose keys the author chooses. */
export function dictionary<T>(
  key: { readonly pattern: RegExp; readonly expected: string },
  value: Form<T>,
  what: string,
): Form<ReadonlyMap<string, T>> {
  return {
    schema: {
      type: 'object',
      propertyNames: { pattern: key.pattern.source },
      additionalProperties: value.schema,
    },
    read(node, place) {
      if (node.type !== 'map' || node.tag !== undefined) {
        place.error(node.offset, `${what} expected, ${nounOf(node)} found`);
        return invalid;
      }
      const result = new Map<string, T>();
      for (const entry of node.entries) {
        const at = place.key(entry.key);
        if (!key.pattern.test(entry.key)) {
          at.error(
            entry.keyOffset,
            `${key.expected} expected, ${JSON.stringify(entry.key.slice(0, 60))} found`,
          );
          continue;
        }
        const read = value.read(entry.value, at);
        if (read !== invalid) result.set(entry.key, read);
      }
      return result;
    },
  };
}
