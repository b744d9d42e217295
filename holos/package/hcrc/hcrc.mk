################################################################################
#
# hcrc
#
################################################################################

HCRC_VERSION = 0.1.0
HCRC_SITE = $(BR2_EXTERNAL_HCRC_PATH)/..
HCRC_SITE_METHOD = local
HCRC_LICENSE = Apache-2.0
HCRC_LICENSE_FILES = LICENSE
HCRC_DEPENDENCIES = cli11 fmt libev host-hcrc
HOST_HCRC_DEPENDENCIES = host-cli11 host-fmt

HCRC_CONF_OPTS = \
	-DHCRC_COMPILER=OFF \
	-DHCRC_TESTS=OFF \
	-DHCRC_BENCHMARKS=OFF

# Only hcrc-compile, which runs while the image is built.
HOST_HCRC_CONF_OPTS = \
	-DHCRC_RUNTIME=OFF \
	-DHCRC_TESTS=OFF \
	-DHCRC_BENCHMARKS=OFF

# The host's graph: a mistake in it breaks the build.
define HCRC_COMPILE_HOST_GRAPH
	mkdir -p $(TARGET_DIR)/etc/hcrc
	$(HOST_DIR)/bin/hcrc-compile --werror -o $(TARGET_DIR)/etc/hcrc/host.db \
		$(BR2_EXTERNAL_HCRC_PATH)/services.d
endef
HCRC_POST_INSTALL_TARGET_HOOKS += HCRC_COMPILE_HOST_GRAPH

# Scripts of the host's graph, and of OpenRC, where the service is in the default
# runlevel.
define HCRC_INSTALL_SCRIPTS
	mkdir -p $(TARGET_DIR)/usr/lib/hcrc-host
	cp -a $(BR2_EXTERNAL_HCRC_PATH)/overlay/usr/lib/hcrc-host/. \
		$(TARGET_DIR)/usr/lib/hcrc-host/
endef
HCRC_POST_INSTALL_TARGET_HOOKS += HCRC_INSTALL_SCRIPTS

define HCRC_INSTALL_INIT_OPENRC
	mkdir -p $(TARGET_DIR)/etc
	cp -a $(BR2_EXTERNAL_HCRC_PATH)/overlay/etc/. $(TARGET_DIR)/etc/
endef

# What runc and the node need of the kernel.
HCRC_LINUX_OPTIONS = \
	NAMESPACES \
	UTS_NS \
	IPC_NS \
	PID_NS \
	NET_NS \
	CGROUPS \
	MEMCG \
	CGROUP_PIDS \
	CGROUP_SCHED \
	FAIR_GROUP_SCHED \
	CFS_BANDWIDTH \
	CGROUP_FREEZER \
	CGROUP_DEVICE \
	BPF_SYSCALL \
	CGROUP_BPF \
	SECCOMP \
	SECCOMP_FILTER \
	POSIX_MQUEUE \
	TMPFS \
	EXT4_FS

define HCRC_LINUX_CONFIG_FIXUPS
	$(foreach option,$(HCRC_LINUX_OPTIONS),
		$(call KCONFIG_ENABLE_OPT,CONFIG_$(option))
	)
endef

HCRC_BUNDLE = $(call qstrip,$(BR2_PACKAGE_HCRC_BUNDLE))
ifneq ($(HCRC_BUNDLE),)
define HCRC_INSTALL_BUNDLE
	rm -rf $(TARGET_DIR)/usr/share/holochain/bundle
	mkdir -p $(TARGET_DIR)/usr/share/holochain
	cp -a $(HCRC_BUNDLE) $(TARGET_DIR)/usr/share/holochain/bundle
endef
HCRC_POST_INSTALL_TARGET_HOOKS += HCRC_INSTALL_BUNDLE
endif

$(eval $(cmake-package))
$(eval $(host-cmake-package))
