include $(sort $(wildcard $(BR2_EXTERNAL_HCRC_PATH)/package/*/*.mk))
