export const ROLES = ["viewer", "trader", "operator", "admin"] as const;

export type Role = (typeof ROLES)[number];

/** Whether a role may do what another one may. */
export function includes(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
