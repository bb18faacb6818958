import { Button, Stack } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { useChangePassword } from "../../api/account";
import { useMe } from "../../api/session";
import { Failure } from "../../ui/Failure";
import { NewPasswordFields } from "../../ui/NewPasswordFields";
import { checkNewPassword } from "../../ui/newPassword";
import { CurrentPassword } from "./CurrentPassword";
import { refusalOf } from "./refusal";

/** Another password; it signs out everywhere. */
export function PasswordSection() {
  const { t } = useTranslation("account");
  const [form, setForm] = useState({ current: "", password: "", repeat: "" });
  const [checked, setChecked] = useState(false);
  const email = useMe().data?.user?.email;
  const change = useChangePassword();
  const faults = checkNewPassword(form);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (!form.current || Object.keys(faults).length > 0) return;
    change.mutate({ currentPassword: form.current, newPassword: form.password });
  };
  return (
    <section className="card panel" aria-labelledby="password-title">
      <h2 className="panel-title" id="password-title">
        {t("password.title")}
      </h2>
      <p className="lead">{t("password.lead")}</p>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          {change.isError && <Failure message={refusalOf(change.error)} />}
          {/* Tells a password manager whose password it is. */}
          <input type="hidden" name="username" autoComplete="username" value={email ?? ""} readOnly />
          <CurrentPassword
            value={form.current}
            onChange={(current) => setForm((before) => ({ ...before, current }))}
            missing={checked && !form.current}
          />
          <NewPasswordFields
            {...form}
            label={t("password.new")}
            faults={checked ? faults : {}}
            onChange={(part) => setForm((before) => ({ ...before, ...part }))}
          />
          <div>
            <Button type="submit" loading={change.isPending}>
              {t("password.change")}
            </Button>
          </div>
        </Stack>
      </form>
    </section>
  );
}
