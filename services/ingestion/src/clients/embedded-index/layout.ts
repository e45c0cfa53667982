import type { DatabaseSync as SqliteFile } from 'node:sqlite'
import { LENGTH_TABLE } from './terms/chunk-lengths.ts'
import { SEGMENT_TABLES } from './terms/segments.ts'
import { VECTOR_TABLES } from './vectors/vectors.ts'

/** A file of another layout is made anew from Postgres. */
export const LAYOUT = 4

/** A number that no other file has, in SQL; exact in a double. */
export const ANY_NUMBER = 'abs(random() % 9007199254740991)'

const TABLES = `
  create table meta (id integer primary key check (id = 1), epoch text not null, model text not null, seq integer not null,
    dimensions integer, chunks integer not null default 0, length integer not null default 0, pages integer not null default (${ANY_NUMBER}));
  create table chunks (id integer primary key autoincrement, chunk_id text not null unique, document_id text not null, generation integer not null);
  create index chunks_document on chunks (document_id, generation);
  ${LENGTH_TABLE} ${SEGMENT_TABLES} ${VECTOR_TABLES}
`
const NAMES = ['meta', 'chunks', 'lengths', 'segments', 'postings', 'vectors', 'centre', 'codes']
const DROP = NAMES.map((name) => `drop table if exists ${name};`).join(' ')

/** Empties a file of this layout, or fills a new one. */
export const MAKE_TABLES = `${DROP}${TABLES} pragma user_version = ${LAYOUT}`

/** 0 for a new file. */
export const layoutOf = (db: SqliteFile): number => Number(db.prepare('pragma user_version').get()?.['user_version'])
