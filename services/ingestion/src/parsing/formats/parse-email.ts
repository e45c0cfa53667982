import PostalMime, { type Address, type Email } from 'postal-mime'
import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import type { FileContent, ReadingScope } from '../reading-scope.ts'
import { parseHtml } from './parse-html.ts'

/** A message with its attachments (RFC 5322, MIME). */
export async function parseEmail({ bytes }: FileContent, scope: ReadingScope): Promise<ParsedDocument> {
  const email = await PostalMime.parse(bytes, { forceRfc822Attachments: true })
  const builder = new DocumentBuilder()
  builder.title = email.subject
  addHead(builder, email)
  addBody(builder, email)
  for (const [at, { filename, mimeType, content }] of email.attachments.entries()) {
    const inner = typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content)
    const name = filename ?? (mimeType === 'message/rfc822' ? `message ${at + 1}.eml` : `attachment ${at + 1}`)
    await scope.add(builder, { name, bytes: inner, mime: mimeType })
  }
  return scope.finish(builder)
}

/** Each message below its subject (RFC 4155). */
export async function parseMailbox({ bytes }: FileContent, scope: ReadingScope): Promise<ParsedDocument> {
  const builder = new DocumentBuilder()
  for (const [at, message] of [...messagesOf(bytes)].entries()) {
    const subject = /^subject:[ \t]*(\S.*)$/im.exec(message.subarray(0, 16_384).toString('latin1'))?.[1]
    await scope.add(builder, { name: `message ${at + 1}.eml`, bytes: message, mime: 'message/rfc822' }, [
      await decodedSubject(subject, at),
    ])
  }
  return scope.finish(builder)
}

function addHead(builder: DocumentBuilder, { from, to = [], cc = [], date, subject }: Email): void {
  const lines = [
    ['From', from ? named(from) : ''],
    ['To', to.map(named).join(', ')],
    ['Cc', cc.map(named).join(', ')],
    ['Date', date ?? ''],
    ['Subject', subject ?? ''],
  ]
  builder.add(
    lines
      .filter(([, value]) => value !== '')
      .map(([name, value]) => `${name}: ${value}`)
      .join('\n'),
  )
}

function addBody(builder: DocumentBuilder, { text = '', html = '' }: Email): void {
  if (text.trim() === '') return builder.append(parseHtml(html), [])
  for (const paragraph of text.replaceAll('\r\n', '\n').split(/\n[ \t]*\n/)) builder.add(paragraph)
}

function named({ name, address, group = [] }: Address): string {
  if (group.length > 0) return `${name}: ${group.map(named).join(', ')}`
  return name && name !== address ? `${name} <${address ?? ''}>` : (address ?? '')
}

function* messagesOf(bytes: Uint8Array): Generator<Buffer> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const text = file.toString('latin1')
  const starts = [...text.matchAll(/(?:^|\n\r?\n)From [^\n]*\n/g)]
  for (const [at, { 0: line, index }] of starts.entries()) {
    const message = text.slice(index + line.length, starts[at + 1]?.index ?? text.length)
    yield Buffer.from(message.replaceAll(/^>(>*From )/gm, '$1'), 'latin1')
  }
}

async function decodedSubject(raw: string | undefined, at: number): Promise<string> {
  if (raw === undefined) return `Message ${at + 1}`
  const { subject } = await PostalMime.parse(Buffer.from(`Subject: ${raw.trim()}\n\n`, 'latin1'))
  return subject || `Message ${at + 1}`
}
