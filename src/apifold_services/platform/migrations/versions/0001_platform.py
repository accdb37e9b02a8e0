"""Everything that the first version of the service keeps."""

from alembic import op

from apifold_services.platform.core.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
