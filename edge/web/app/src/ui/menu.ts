import type { IconName } from './Icon.svelte'

export interface MenuItem {
  icon: IconName
  label: string
  run: () => void
  danger?: true
}
