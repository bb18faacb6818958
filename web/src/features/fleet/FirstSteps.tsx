import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Icon } from "../../ui/Icon";

/** What an empty fleet needs: one device, its key, one command. Who may not add devices is told who may. */
export function FirstSteps({ onAdd }: { onAdd: (() => void) | undefined }) {
  const { t } = useTranslation("fleet");
  return (
    <section className="card first-steps" aria-labelledby="first-steps">
      <h2 id="first-steps" className="panel-title">
        {t("empty.title")}
      </h2>
      {onAdd ? (
        <>
          <ol>
            <li>{t("empty.add")}</li>
            <li>{t("empty.send")}</li>
            <li>{t("empty.see")}</li>
          </ol>
          <Button leftSection={<Icon name="plus" />} onClick={onAdd}>
            {t("add.first")}
          </Button>
          <p className="muted small">{t("empty.gateway")}</p>
        </>
      ) : (
        <p className="muted">{t("empty.viewer")}</p>
      )}
    </section>
  );
}
