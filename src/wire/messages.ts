/**
 * Encodes and decodes protobuf messages by a table of their fields, with the reader and the writer of protobufjs.
 * `contract.ts` holds the tables. protobufjs would build the same from `.proto` files by compiling code at each start.
 */

import protobuf from 'protobufjs/minimal.js';

type Writer = protobuf.Writer;
type Reader = protobuf.Reader;

/** Wire types of protobuf: a variable-length integer, or a length and as many bytes. */
const VARINT = 0;
const DELIMITED = 2;
const WIRE_TYPE_BITS = 3;

/** The type of a field: how one value of it is written and read. */
export interface FieldType<Value> {
  readonly wireType: typeof VARINT | typeof DELIMITED;
  /** The value of a field that is not in the bytes. It is not written. */
  readonly absent: Value | null;
  readonly write: (writer: Writer, value: Value) => void;
  /** Throws: RangeError if the bytes end before the value does. */
  readonly read: (reader: Reader) => Value;
}

/** A field of a message: its number, and its type, or the type of its elements in brackets. */
export type Field<Value> = [Value] extends [readonly (infer Element)[]]
  ? readonly [number, readonly [FieldType<Element>]]
  : readonly [number, FieldType<NonNullable<Value>>];

/** The fields of a message by their names. */
export type Fields<Value> = { readonly [Name in keyof Value]-?: Field<Value[Name]> };

/** A text in UTF-8. */
export const text: FieldType<string> = {
  wireType: DELIMITED,
  absent: '',
  write: (writer, value) => writer.string(value),
  read: (reader) => reader.string(),
};

/** Bytes. What is read shares the memory of the message. */
export const bytes: FieldType<Buffer> = {
  wireType: DELIMITED,
  absent: Buffer.alloc(0),
  write: (writer, value) => writer.bytes(value),
  read: (reader) => reader.bytes() as Buffer,
};

/** A signed integer of 32 bits. */
export const int32: FieldType<number> = {
  wireType: VARINT,
  absent: 0,
  write: (writer, value) => writer.int32(value),
  read: (reader) => reader.int32(),
};

/** An enum, as the name of its value; `names[0]` is the name of 0, and of every unknown number. */
export function enumOf<const Name extends string>(names: readonly [Name, ...Name[]]): FieldType<Name> {
  return {
    wireType: VARINT,
    absent: names[0],
    write: (writer, value) => writer.int32(names.indexOf(value)),
    read: (reader) => names[reader.int32()] ?? names[0],
  };
}

/** A message in a field of another one; null if it is absent. */
export function messageOf<Value extends object>(message: Message<Value>): FieldType<Value> {
  return {
    wireType: DELIMITED,
    absent: null,
    write(writer, value) {
      message.write(value, writer.fork());
      writer.ldelim();
    },
    read: (reader) => message.decode(reader.bytes()),
  };
}

/** A row of the table of a message, whatever its type. */
interface Row {
  readonly name: string;
  /** The number of the field and its wire type, as in the bytes. */
  readonly tag: number;
  readonly type: FieldType<unknown>;
  readonly repeated: boolean;
}

/** Encodes and decodes messages of one type. */
export class Message<Value extends object> {
  readonly #rows: readonly Row[];

  constructor(fields: Fields<Value>) {
    const entries = Object.entries(fields) as [string, readonly [number, FieldType<unknown> | [FieldType<unknown>]]][];
    this.#rows = entries.map(([name, [id, given]]) => {
      const [type, repeated] = Array.isArray(given) ? [given[0], true] : [given, false];
      return { name, tag: (id << WIRE_TYPE_BITS) | type.wireType, type, repeated };
    });
  }

  /** Returns the bytes of a message. */
  readonly encode = (value: Partial<Value>): Buffer => this.write(value, protobuf.Writer.create()).finish() as Buffer;

  /** Writes the fields of a message that are not empty. */
  write(value: Partial<Value>, writer: Writer): Writer {
    const values = value as Readonly<Record<string, unknown>>;
    for (const { name, tag, type, repeated } of this.#rows) {
      const elements = repeated ? ((values[name] ?? []) as readonly unknown[]) : [values[name]];
      for (const element of elements) {
        if (!repeated && isAbsent(element, type)) continue;
        writer.uint32(tag);
        type.write(writer, element);
      }
    }
    return writer;
  }

  /**
   * Returns the message in `data`. Fields that the table lacks are skipped; fields that the bytes lack have their
   * empty value. Throws: Error for bytes that are no protobuf message.
   */
  readonly decode = (data: Uint8Array): Value => {
    const values = Object.fromEntries(
      this.#rows.map(({ name, type, repeated }) => [name, repeated ? [] : type.absent]),
    );
    const reader = protobuf.Reader.create(data);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      const row = this.#rows.find((one) => one.tag === tag);
      if (row === undefined) reader.skipType(tag & 7);
      else if (row.repeated) (values[row.name] as unknown[]).push(row.type.read(reader));
      else values[row.name] = row.type.read(reader);
    }
    return values as Value;
  };
}

function isAbsent(value: unknown, { absent }: FieldType<unknown>): boolean {
  return value === undefined || value === null || value === absent || (Buffer.isBuffer(value) && value.length === 0);
}
