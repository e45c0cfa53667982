import { FILE_FORMATS } from '@youworker/contracts/file-types'

const HEAD = `# Files that are read

Generated from \`packages/contracts/src/file-types.ts\` by \`npm run contracts:accept\`.

The content decides, the name helps: what decodes as text is read as text whatever its name or its first bytes look like (UTF-8, UTF-16 and
legacy encodings are recognised); a file whose name says one thing and whose content is another is refused with a reason. A file that cannot
be read fails alone, and says why and what would help; a file within a file (an attachment) that cannot be read is named at the end of
the document.

`

/** docs/file-types.md. */
export function renderFileTypes(): string {
  const rows = Object.entries(FILE_FORMATS).map(
    ([mime, { name, extensions }]) => `- ${name}: ${extensions.map((one) => `\`${one}\``).join(' ')} (\`${mime}\`)`,
  )
  return `${HEAD}${rows.join('\n')}\n`
}
