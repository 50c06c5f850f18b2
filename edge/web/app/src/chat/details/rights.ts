/** What one's own role allows in a group. The server decides; what it would refuse is not offered. */
import type { Role } from '@natter/client'

export const canInvite = (mine: Role): boolean => mine !== 'member'
export const canRename = canInvite

/** Admins remove members, the owner removes anyone else. */
export const canRemove = (mine: Role, theirs: Role): boolean =>
  mine === 'owner' ? theirs !== 'owner' : mine === 'admin' && theirs === 'member'

/** The roles that one may give, without the one that is there. */
export const rolesToGive = (mine: Role, theirs: Role): readonly Role[] =>
  mine === 'owner' && theirs !== 'owner' ? (['owner', 'admin', 'member'] as const).filter((role) => role !== theirs) : []
