import type { ColumnType, Generated } from 'kysely'
import type { SystemTables } from '../../schema/system-tables.ts'

/** Written by Postgres from the group's id. */
type GroupSpace = ColumnType<string, never, never>

export interface GroupTables extends SystemTables {
  groups: {
    id: string
    space_id: GroupSpace
    name: string
    /** `name` folded (NFKC, lower case): what is unique among one's groups. */
    name_key: string
    description: string | null
    created_by: string
    created_at: Generated<string>
    updated_at: Generated<string>
  }
  members: {
    group_id: string
    space_id: GroupSpace
    user_id: string
    role: 'admin' | 'member'
    joined_at: Generated<string>
  }
  /** Counts the names a user has given: a name was free only if this has not moved since it was looked for. */
  name_versions: {
    user_id: string
    version: number
  }
}
