import { words } from "@/lib/words";

export const ROLE_WORDS = words(
  { viewer: "Viewer", trader: "Trader", operator: "Operator", admin: "Administrator" },
  { viewer: "只读", trader: "交易员", operator: "运维", admin: "管理员" },
);

export const SESSION = words(
  {
    title: "Sign in",
    subtitle: "Console of the desk",
    user: "User",
    password: "Password",
    signIn: "Sign in",
    firstHint: "The first password is printed once by aegis up. Lost it? aegis reset-password makes another.",
    changeTitle: "Set your own password",
    changeHint: "The first password is for this only. At least 12 characters; other sessions of yours end.",
    oldPassword: "Password until now",
    newPassword: "New password",
    newAgain: "New password again",
    different: "The two are not the same.",
    short: "At least 12 characters.",
    change: "Set the password",
    changed: "The password is set.",
    wrongOld: "The password until now is wrong.",
    opening: "Opening the console",
  },
  {
    title: "登录",
    subtitle: "交易系统控制台",
    user: "用户名",
    password: "密码",
    signIn: "登录",
    firstHint: "初始密码由 aegis up 显示一次。遗失时用 aegis reset-password 重新生成。",
    changeTitle: "设置自己的密码",
    changeHint: "初始密码仅用于此步骤。至少 12 个字符；您的其他会话将结束。",
    oldPassword: "当前密码",
    newPassword: "新密码",
    newAgain: "再次输入新密码",
    different: "两次输入不一致。",
    short: "至少 12 个字符。",
    change: "设置密码",
    changed: "密码已设置。",
    wrongOld: "当前密码错误。",
    opening: "正在打开控制台",
  },
);
